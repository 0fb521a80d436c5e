"""Many trials through Ray Tune: in parallel, each from its own checkpoint, none of them twice.

All state is in the run folder: checkpoints and outcomes in the trials' folders, Optuna's study beside them. Tune's own
state is for the one call and thrown away; whoever goes on with a run asks the folder what is left to do.
"""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from nas.errors import InputError
from nas.launch.run_storage import RunStorage
from nas.launch.session import (
    Machine,
    Resources,
    check_address,
    check_resources,
    machines_of_cluster,
    ray_session,
    this_machine,
)
from nas.launch.study import Proposals
from nas.launch.trial_outcomes import TrialOutcomes
from nas.launch.worker import Assignment, SearchTrial, train
from nas.recipe import Experiment, TrialsSettings
from nas.run import Outcome, RunFolder, Trial, TrialEvent, TrialResult
from nas.run.search_trial import run_trial
from nas.strategies.protocol import num_compared_epochs

_Source = tuple[dict[str, Any], dict[str, Any]]
"""Tune's search space, and what else it is told of where its trials come from."""


def check_trials_can_run(experiment: Experiment, address: str | None) -> None:
    """What is known before anything is written.

    Raises:
        InputError: Ray or Optuna is missing, nobody listens at the address, or this machine could never run a trial.
    """
    needed = {"ray": "several trials need Ray"} | ({"optuna": "ranges need Optuna"} if experiment.trials.ranges else {})
    for package, words in needed.items():
        if find_spec(package) is None:
            raise InputError(f"{words}: pip install 'branched-nas[ray]'")
    if address is not None:
        check_address(address)
    else:
        check_resources(trial_resources(experiment, [this_machine()]), [this_machine()])


def run_trials(
    experiment: Experiment,
    assignment: Assignment,
    run: RunFolder,
    planned: Sequence[Trial],
    numbers: Sequence[int],
    *,
    address: str | None = None,
    on_event: Callable[[TrialEvent], None] = lambda _: None,
    search: SearchTrial = run_trial,
) -> dict[int, Outcome]:
    """Run trials to their outcomes, which are also written into their folders.

    Args:
        planned: all trials of the run, by number.
        numbers: those that are to be run; the others are done.
        address: of a running cluster; None starts one on this machine.
        on_event: called for whatever happens.
        search: what is done for one trial; importable on the workers.

    Returns:
        outcomes by number; those that the time limit stopped are not among them.

    Raises:
        InputError: the cluster refuses, or could never run a trial.
    """
    proposals = _proposals(experiment, run, planned)
    storage = None if assignment.storage is None else RunStorage(*assignment.storage)
    collected = TrialOutcomes(run, proposals, storage)
    with (
        ray_session(address, run.path / "logs"),
        collected.until_transferred(),
        tempfile.TemporaryDirectory(prefix="nas-tune-") as scratch,
    ):
        from nas.launch.tune_callback import TuneCallback

        machines = machines_of_cluster()
        needed = trial_resources(experiment, machines)
        check_resources(needed, machines)
        _tune(
            experiment.trials,
            partial(train, assignment, search),
            needed,
            _source(planned, numbers, proposals),
            scheduler=_scheduler(experiment),
            callback=TuneCallback(on_event, collected.record),
            scratch=scratch,
        )
    return collected.outcomes


def _tune(
    settings: TrialsSettings,
    trainable: Callable[[Any], None],
    needed: Resources,
    source: _Source,
    *,
    scheduler: Any,
    callback: Any,
    scratch: str,
) -> None:
    from ray import tune

    space, where_from = source
    tune.Tuner(
        tune.with_resources(trainable, {"cpu": needed.cpus, "gpu": needed.gpus}),
        param_space=space,
        tune_config=tune.TuneConfig(
            **where_from,
            scheduler=scheduler,
            max_concurrent_trials=settings.concurrency,
            time_budget_s=settings.time_limit,
            # A new process imports torch for seconds, and trials leave nothing behind in one. But Tune drops the trial
            # that follows one which a scheduler has stopped, if that takes longer than two seconds to end.
            reuse_actors=scheduler is None,
            trial_dirname_creator=lambda trial: str(trial.config["trial"]["number"]),
        ),
        run_config=tune.RunConfig(
            name="trials",
            storage_path=scratch,
            failure_config=tune.FailureConfig(max_failures=settings.max_failures),
            callbacks=[callback],
            verbose=0,
        ),
    ).fit()


def _source(planned: Sequence[Trial], numbers: Sequence[int], proposals: Proposals | None) -> _Source:
    """Where Tune gets its trials from: a list, or Optuna."""
    from ray import tune

    from nas.launch.study_search import StudySearch

    if proposals is None:
        return {"trial": tune.grid_search([planned[number].to_dict() for number in numbers])}, {}
    return {}, {"search_alg": StudySearch(proposals, numbers), "num_samples": len(numbers)}


def _scheduler(experiment: Experiment) -> Any:
    from ray.tune.schedulers import ASHAScheduler

    if experiment.trials.scheduler is None:
        return None
    # Nothing can be compared before the warm-up is over.
    left = num_compared_epochs(experiment.strategy)
    return ASHAScheduler(
        time_attr="epoch",
        metric="score",
        mode="max",
        max_t=experiment.num_epochs,
        grace_period=experiment.num_epochs - max(left - 1, 0),
    )


def trial_resources(experiment: Experiment, machines: Sequence[Machine]) -> Resources:
    """What one trial, or each of the processes that share one, reserves on machines like these."""
    settings = experiment.trials
    cpus = settings.cpus if settings.cpus is not None else float(experiment.num_threads or 1)
    if settings.gpus is not None:
        return Resources(cpus, settings.gpus)
    if experiment.device == "auto":
        return Resources(cpus, float(any(machine.get("GPU", 0) >= 1 for machine in machines)))
    return Resources(cpus, float(experiment.device != "cpu"))


def _proposals(experiment: Experiment, run: RunFolder, planned: Sequence[Trial]) -> Proposals | None:
    """Optuna's study, if there is anything to propose, having been told of all trials that are done."""
    if not experiment.trials.ranges:
        return None
    proposals = Proposals(experiment, run.path, planned)
    for folder in run.trials:
        if isinstance(outcome := folder.outcome, TrialResult):
            proposals.tell(folder.number, outcome)
    return proposals
