"""Run many trials in parallel through Ray Tune; each continues from its own checkpoint.

All state is in the run folder: checkpoints and outcomes in the trials' folders, and Optuna's study. Tune's own state is
temporary; a resumed run finds out from its folder which trials are left.
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
"""Tune's search space, and the arguments of `TuneConfig` that say where trials come from."""


def check_trials_can_run(experiment: Experiment, address: str | None) -> None:
    """Check, before anything is written, that the trials can run.

    Raises:
        InputError: Ray or Optuna is missing, the address does not answer, or this machine is too small for a trial.
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
    """Run trials and return their outcomes, which are also written into their folders.

    Args:
        planned: all trials of the run, by number.
        numbers: the trials to run; the others are done.
        address: address of a running cluster; None starts one on this machine.
        on_event: called with every event of a trial.
        search: the function that runs one trial; workers import it.

    Returns:
        outcomes by number, without trials that the time limit stopped.

    Raises:
        InputError: the cluster refuses the connection, or is too small for a trial.
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
            partial(train, assignment, search, needed),
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
            # Processes are reused, because a new one takes seconds to import torch. Not with a scheduler: if a trial
            # that it has stopped takes longer than two seconds to end, Tune drops the next trial of that process.
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
    """The source of Tune's trials: a list, or Optuna."""
    from ray import tune

    from nas.launch.study_search import StudySearch

    if proposals is None:
        return {"trial": tune.grid_search([planned[number].to_dict() for number in numbers])}, {}
    return {}, {"search_alg": StudySearch(proposals, numbers), "num_samples": len(numbers)}


def _scheduler(experiment: Experiment) -> Any:
    from ray.tune.schedulers import ASHAScheduler

    if experiment.trials.scheduler is None:
        return None
    # Trials can be compared only after the warm-up.
    left = num_compared_epochs(experiment.strategy)
    return ASHAScheduler(
        time_attr="epoch",
        metric="score",
        mode="max",
        max_t=experiment.num_epochs,
        grace_period=experiment.num_epochs - max(left - 1, 0),
    )


def trial_resources(experiment: Experiment, machines: Sequence[Machine]) -> Resources:
    """The resources that one trial, or each process of a trial, reserves on such machines."""
    settings = experiment.trials
    cpus = settings.cpus if settings.cpus is not None else float(experiment.num_threads or 1)
    if settings.gpus is not None:
        return Resources(cpus, settings.gpus)
    if experiment.device == "auto":
        return Resources(cpus, float(any(machine.get("GPU", 0) >= 1 for machine in machines)))
    return Resources(cpus, float(experiment.device != "cpu"))


def _proposals(experiment: Experiment, run: RunFolder, planned: Sequence[Trial]) -> Proposals | None:
    """Optuna's study with the outcomes of all finished trials; None if the experiment has no ranges."""
    if not experiment.trials.ranges:
        return None
    proposals = Proposals(experiment, run.path, planned)
    for folder in run.trials:
        if isinstance(outcome := folder.outcome, TrialResult):
            proposals.tell(folder.number, outcome)
    return proposals
