"""Run the trials of a run, one in this process or several through Ray, and collect the trees they find."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from nas.errors import InputError, WorkFailed
from nas.launch.dispatch import assign, check_processes, search_on_processes
from nas.recipe import Experiment
from nas.recipe.trial_settings import BUDGETS
from nas.run import (
    LabelRecord,
    Outcome,
    Point,
    RunFolder,
    Trial,
    TrialEvent,
    TrialFailure,
    TrialParts,
    TrialResult,
    check_budgets,
    check_counted,
    check_ranges,
    describe_failure,
    measure_parts,
    plan_trials,
    write_outcome,
)
from nas.run.evaluator import problem_of
from nas.run.opened_run import OpenRun, Recipe
from nas.run.search_trial import OnEpoch, run_trial
from nas.strategies.protocol import check_problem, trees_at_once
from nas.training import require_logs

if TYPE_CHECKING:
    from nas.launch.run_storage import RunStorage

_LOGGER = logging.getLogger(__name__)

OnEvent = Callable[[TrialEvent], None]


class _TimeIsUp(Exception):
    """Raised to end a trial after the epoch in which its time limit was reached."""


def in_process(experiment: Experiment, address: str | None) -> bool:
    """Whether a run needs no Ray: one trial in one process that trains one tree at a time, no ranges, no cluster."""
    alone = experiment.processes == 1 and trees_at_once(experiment.strategy) == 1
    return address is None and alone and _is_single(experiment)


def _is_single(experiment: Experiment) -> bool:
    return not experiment.trials.ranges and len(plan_trials(experiment)) == 1


def check_trials(experiment: Experiment, recipe: Recipe, address: str | None, labels: LabelRecord) -> TrialParts | None:
    """Check everything that can be checked before anything is written; returns the parts of a single trial.

    Args:
        labels: the run folder's label record; it remembers the labels that are read here.

    Raises:
        InputError: a part of the recipe does not work, a range has a value that its field cannot have, a budget
            allows no tree, or several trials or processes of an Experiment without a recipe file.
    """
    require_logs(experiment.trials.logs)
    if experiment.processes > 1:
        _check_shared(experiment, recipe, address, labels)
        return None
    if in_process(experiment, address):
        (only,) = plan_trials(experiment)
        return _build(only.experiment(experiment), labels)
    if isinstance(recipe, Experiment):
        raise InputError(
            "several trials, or trees at a time, run in processes that import the recipe, so put the Experiment into a "
            "recipe file"
        )
    if ":" in experiment.device:
        raise InputError(
            f"device {experiment.device!r} is one GPU, but Ray assigns a GPU to each trial; set device to 'cuda'"
        )
    from nas.launch.tuning import check_trials_can_run

    check_trials_can_run(experiment, address)
    check_ranges(experiment)
    first = plan_trials(experiment)[0].experiment(experiment)
    proposed = [
        budget
        for value in (experiment.trials.ranges[BUDGETS].extremes if BUDGETS in experiment.trials.ranges else ())
        for budget in Trial(0, None, experiment.seed, {BUDGETS: value}).experiment(experiment).goal.budgets
    ]
    _check_costs(first, (*experiment.trials.budgets, *proposed))
    if address is None or experiment.goal.measure != "none":
        # The machine that runs trials, or retrains their trees, needs the data; files that a data source makes once
        # are made here, not by every trial.
        _build(first, labels)
    return None


def _build(experiment: Experiment, labels: LabelRecord) -> TrialParts:
    """Build the parts of a trial and check the labels."""
    parts = TrialParts.build(experiment)
    labels.require(experiment, parts.data)
    check_problem(experiment.strategy, problem_of(experiment, parts, RunFolder(Path()), torch.device("cpu")))
    return parts


def _check_shared(experiment: Experiment, recipe: Recipe, address: str | None, labels: LabelRecord) -> None:
    if not _is_single(experiment):
        raise InputError(
            f"processes={experiment.processes} share the batches of one trial, but this recipe has "
            "several trials; search each in a run of its own, or set processes to 1 and let Ray run them side by side"
        )
    if address is not None and experiment.trials.storage_uri is not None and experiment.goal.measure != "none":
        raise InputError(
            "goal.measure: several processes on a cluster retrain in the run folder, which must then be on a "
            "disk that all machines share; leave trials.storage_uri out, or measure after the search (nas retrain, "
            "nas compare)"
        )
    check_processes(experiment, isinstance(recipe, Experiment), address)
    (only,) = plan_trials(experiment)
    own = only.experiment(experiment)
    if address is None:
        _build(own, labels)
    else:
        _check_costs(own, own.goal.budgets)


def _check_costs(experiment: Experiment, budgets: Sequence[float]) -> None:
    """InputError unless the parts' costs can be counted and each budget allows a tree."""
    measured = measure_parts(experiment)
    check_counted(experiment, measured.uncounted, budgets)
    check_budgets(experiment, measured.table, budgets)


def find_points(run: OpenRun, parts: TrialParts | None, address: str | None, on_event: OnEvent) -> list[Point]:
    """Run the trials that have no result yet; returns the points of all trials with a result.

    Raises:
        InputError: bad input. WorkFailed: no trial found a tree.
    """
    planned = plan_trials(run.experiment)
    outcomes = {trial.number: run.folder.trial(trial.number).outcome for trial in planned}
    left = [trial for trial in planned if not isinstance(outcomes[trial.number], TrialResult)]
    if left and in_process(run.experiment, address):
        outcomes[0] = _run_here(run, left[0], parts, on_event)
    elif left and run.experiment.processes > 1:
        outcomes[0] = _run_shared(run, left[0], address, on_event)
    elif left:
        # Outcomes of an earlier attempt do not count any more.
        outcomes |= {trial.number: None for trial in left} | dict(_run_with_ray(run, planned, left, address, on_event))
    points = [point for outcome in outcomes.values() if isinstance(outcome, TrialResult) for point in outcome.points]
    _tell_what_is_missing(run, outcomes, points)
    return points


def run_storage(experiment: Experiment, path: Path) -> "RunStorage | None":
    """The storage that a run's files are copied to, if there is one."""
    if (uri := experiment.trials.storage_uri) is None:
        return None
    from nas.launch.run_storage import RunStorage

    return RunStorage(uri, path.resolve().name)


def all_done(run: OpenRun) -> bool:
    """Whether every trial has a result."""
    return all(isinstance(run.folder.trial(t.number).outcome, TrialResult) for t in plan_trials(run.experiment))


def _run_here(run: OpenRun, trial: Trial, parts: TrialParts | None, on_event: OnEvent) -> TrialResult | None:
    experiment, folder = trial.experiment(run.experiment), run.folder.trial(trial.number)
    stored = run_storage(run.experiment, run.folder.path)

    def search(on_epoch: OnEpoch) -> TrialResult:
        def store(record: dict[str, Any]) -> None:
            if stored is not None:
                stored.upload_trial(trial.number, folder.path)
            on_epoch(record)

        return run_trial(experiment, trial, run.folder, run.device, store, parts)

    result = _run_one(run, trial, on_event, search)
    if stored is not None:
        stored.upload_trial(trial.number, folder.path)
    return result


def _run_shared(run: OpenRun, trial: Trial, address: str | None, on_event: OnEvent) -> TrialResult | None:
    """Run one trial on several processes; rank 0 copies its files to the storage, if there is one."""

    def search(on_epoch: OnEpoch) -> TrialResult:
        return TrialResult.model_validate(search_on_processes(run, trial, address, on_epoch))

    result = _run_one(run, trial, on_event, search)
    if (stored := run_storage(run.experiment, run.folder.path)) is not None:
        stored.download_trial(trial.number, run.folder.trial(trial.number).path)
    return result


def _run_one(
    run: OpenRun, trial: Trial, on_event: OnEvent, search: Callable[[OnEpoch], TrialResult]
) -> TrialResult | None:
    """Run a trial, report its events, and write down why it failed; returns None if the time limit ended it."""
    experiment, folder = trial.experiment(run.experiment), run.folder.trial(trial.number)
    on_event(TrialEvent("started", trial, num_epochs=experiment.num_epochs, epochs_done=folder.epochs_done))
    begun, limit = time.monotonic(), experiment.trials.time_limit

    def on_epoch(record: dict[str, Any]) -> None:
        on_event(TrialEvent("epoch", trial, record=record))
        left = experiment.num_epochs - record["epoch"] - 1
        if left and limit is not None and time.monotonic() - begun > limit:
            raise _TimeIsUp

    try:
        result = search(on_epoch)
    except _TimeIsUp:
        return None
    except Exception as error:
        cause, reason = describe_failure(error)
        folder.make()
        write_outcome(folder.path, TrialFailure(cause=cause, reason=reason))
        raise
    on_event(TrialEvent("done", trial))
    return result


def _run_with_ray(
    run: OpenRun,
    planned: list[Trial],
    left: list[Trial],
    address: str | None,
    on_event: OnEvent,
) -> Mapping[int, Outcome]:
    from nas.launch.tuning import check_trials_can_run, run_trials

    # A resumed run may be on another machine than the one that began it.
    check_trials_can_run(run.experiment, address)
    assignment = assign(run, run.folder.num_threads)
    numbers = [trial.number for trial in left]
    return run_trials(run.experiment, assignment, run.folder, planned, numbers, address=address, on_event=on_event)


def _tell_what_is_missing(run: OpenRun, outcomes: Mapping[int, Outcome | None], points: list[Point]) -> None:
    """Warn about trials without a result; raise if no trial found a tree."""
    failures = {number: outcome for number, outcome in outcomes.items() if isinstance(outcome, TrialFailure)}
    unfinished = [number for number, outcome in outcomes.items() if outcome is None]
    left_by = "Ray Tune" if run.experiment.trials.time_limit is None else "the time limit"
    if points:
        for number, failure in failures.items():
            _LOGGER.warning("trial %d failed: %s", number, failure.reason)
        if unfinished:
            _LOGGER.warning("%s left %s unfinished; continue with `resume=True`", left_by, _named(unfinished))
        return
    if not failures:
        why = f"{left_by} left {_named(unfinished)} unfinished" if unfinished else "the scheduler stopped every trial"
        raise WorkFailed(f"{run.folder.path}: {why}")
    reasons = list(dict.fromkeys(failure.reason for failure in failures.values()))
    others = f" (and {len(reasons) - 1} other reasons)" if len(reasons) > 1 else ""
    message = f"all trials failed: {reasons[0]}{others}" if len(failures) > 1 else reasons[0]
    if all(failure.cause == "input" for failure in failures.values()):
        raise InputError(message)
    raise WorkFailed(message)


def _named(numbers: list[int]) -> str:
    return f"trial{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
