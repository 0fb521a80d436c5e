"""The trials of a run: one in this process, several through Ray, and what they come to."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.commands.opening import OpenRun, Recipe
from nas.errors import InputError, WorkFailed
from nas.experiment import (
    Experiment,
    Outcome,
    Point,
    Trial,
    TrialEvent,
    TrialFailure,
    TrialParts,
    TrialResult,
    check_budgets,
    check_ranges,
    describe_failure,
    measure,
    plan_trials,
    recipe_hash,
    write_outcome,
)
from nas.strategies.trial import run_trial

if TYPE_CHECKING:
    from nas.distributed.run_storage import RunStorage

_LOGGER = logging.getLogger(__name__)

OnEvent = Callable[[TrialEvent], None]


def in_process(experiment: Experiment, address: str | None) -> bool:
    """Whether a run needs no Ray: it is one trial, with nothing to propose, and no cluster is named."""
    return address is None and not experiment.trials.ranges and len(plan_trials(experiment)) == 1


def check_trials(experiment: Experiment, recipe: Recipe, address: str | None) -> TrialParts | None:
    """Whatever can be known to be wrong before anything is written; the parts of a single trial.

    Raises:
        InputError: a part of the recipe does not work, a range has a value that its field cannot have, a budget
            allows no tree, or several trials of an Experiment without a recipe file.
    """
    if in_process(experiment, address):
        (only,) = plan_trials(experiment)
        return TrialParts.build(only.experiment(experiment))
    if isinstance(recipe, Experiment):
        raise InputError("several trials run in processes that import a recipe: put the Experiment into a recipe file")
    from nas.distributed.tuning import check_trials_can_run

    check_trials_can_run(experiment, address)
    check_ranges(experiment)
    first = plan_trials(experiment)[0].experiment(experiment)
    check_budgets(first, measure(first).table, experiment.trials.budgets)
    if address is None:
        # The machine that runs the trials must have the data, and whatever is made of it once need not be made by
        # each of them.
        TrialParts.build(first)
    return None


def find_points(
    run: OpenRun, recipe: Recipe, parts: TrialParts | None, address: str | None, on_event: OnEvent
) -> list[Point]:
    """Run the trials that have no result yet; the points of all that have one.

    Raises:
        InputError: bad input. WorkFailed: no trial found a tree.
    """
    planned = plan_trials(run.experiment)
    outcomes = {trial.number: run.folder.trial(trial.number).outcome for trial in planned}
    left = [trial for trial in planned if not isinstance(outcomes[trial.number], TrialResult)]
    if left and in_process(run.experiment, address):
        outcomes[0] = _run_here(run, left[0], parts, on_event)
    elif left:
        outcomes |= _run_with_ray(run, recipe, planned, left, address, on_event)
    points = [point for outcome in outcomes.values() if isinstance(outcome, TrialResult) for point in outcome.points]
    _tell_what_is_missing(run, outcomes, points)
    return points


def run_storage(experiment: Experiment, path: Path) -> "RunStorage | None":
    """Where a run's files are copied to, if anywhere."""
    if (uri := experiment.trials.storage_uri) is None:
        return None
    from nas.distributed.run_storage import RunStorage

    return RunStorage(uri, path.resolve().name)


def all_done(run: OpenRun) -> bool:
    """Whether every trial has a result."""
    return all(isinstance(run.folder.trial(t.number).outcome, TrialResult) for t in plan_trials(run.experiment))


def _run_here(run: OpenRun, trial: Trial, parts: TrialParts | None, on_event: OnEvent) -> TrialResult:
    experiment, folder = trial.experiment(run.experiment), run.folder.trial(trial.number)
    on_event(TrialEvent("started", trial, num_epochs=experiment.num_epochs, epochs_done=folder.epochs_done))
    stored = run_storage(run.experiment, run.folder.path)

    def on_epoch(record: dict[str, Any]) -> None:
        if stored is not None:
            stored.upload_trial(trial.number, folder.path)
        on_event(TrialEvent("epoch", trial, record=record))

    try:
        result = run_trial(experiment, trial, run.folder, run.device, on_epoch, parts)
    except Exception as error:
        cause, reason = describe_failure(error)
        folder.make()
        write_outcome(folder.path, TrialFailure(cause=cause, reason=reason))
        raise
    if stored is not None:
        stored.upload_trial(trial.number, folder.path)
    on_event(TrialEvent("done", trial))
    return result


def _run_with_ray(
    run: OpenRun,
    recipe: Recipe,
    planned: list[Trial],
    left: list[Trial],
    address: str | None,
    on_event: OnEvent,
) -> Mapping[int, Outcome]:
    from nas.distributed.tuning import check_trials_can_run, run_trials
    from nas.distributed.worker import Assignment

    # A run that is resumed may be on another machine than the one that began it.
    check_trials_can_run(run.experiment, address)
    assert not isinstance(recipe, Experiment)
    path, uri = Path(recipe).resolve(), run.experiment.trials.storage_uri
    assignment = Assignment(
        recipe=str(path),
        relative=str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else None,
        sha256=recipe_hash(path),
        overrides=run.folder.record["overrides"],
        run=str(run.folder.path.resolve()),
        num_threads=run.folder.num_threads,
        storage=None if uri is None else (uri, run.folder.path.resolve().name),
    )
    numbers = [trial.number for trial in left]
    return run_trials(run.experiment, assignment, run.folder, planned, numbers, address=address, on_event=on_event)


def _tell_what_is_missing(run: OpenRun, outcomes: Mapping[int, Outcome | None], points: list[Point]) -> None:
    """Warn of trials without a result; raise if there is no tree at all."""
    failures = {number: outcome for number, outcome in outcomes.items() if isinstance(outcome, TrialFailure)}
    unfinished = [number for number, outcome in outcomes.items() if outcome is None]
    if points:
        for number, failure in failures.items():
            _LOGGER.warning("trial %d failed: %s", number, failure.reason)
        if unfinished:
            _LOGGER.warning("the time limit left %s unfinished; go on with --resume", _named(unfinished))
        return
    if not failures:
        raise WorkFailed(f"{run.folder.path}: no trial ended within the time limit")
    reasons = list(dict.fromkeys(failure.reason for failure in failures.values()))
    others = f" (and {len(reasons) - 1} other reasons)" if len(reasons) > 1 else ""
    message = f"all trials failed: {reasons[0]}{others}" if len(failures) > 1 else reasons[0]
    if all(failure.cause == "input" for failure in failures.values()):
        raise InputError(message)
    raise WorkFailed(message)


def _named(numbers: list[int]) -> str:
    return f"trial{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
