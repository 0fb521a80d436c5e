"""`nas search`: search branch trees for a recipe, and write them, their front and their pictures."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nas.cost import LatencyTable
from nas.errors import InputError
from nas.launch.dispatch import Progress
from nas.launch.measured_quality import measure_points
from nas.launch.trials import all_done, check_trials, find_points, run_storage
from nas.recipe import EXTENDABLE, Experiment
from nas.report.figures import draw_figures
from nas.report.html import try_report
from nas.run import (
    Point,
    RunFolder,
    TrialEvent,
    TrialParts,
    make_front,
    plain_changes,
    resolve_device,
    trial_threads,
    use_threads,
)
from nas.run.costs import read_costs
from nas.run.default_folder import default_folder, latest_unfinished
from nas.run.evaluator import problem_of
from nas.run.opened_run import OpenRun, Recipe, begin_run, new_run, open_experiment, open_run, warn_of_new_start
from nas.run.pooling import pool_trials
from nas.run.results import Run
from nas.strategies import Problem

_LOGGER = logging.getLogger(__name__)


def search(
    recipe: Recipe,
    *,
    out: str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    resume: bool = False,
    allow_changed: bool = False,
    address: str | None = None,
    storage: str | None = None,
    hours: float | None = None,
    on_start: Callable[[OpenRun], None] = lambda _: None,
    on_event: Callable[[TrialEvent], None] = lambda _: None,
    on_training: Callable[[Progress], None] = lambda _: None,
    on_training_epoch: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Run:
    """Search branch trees for an experiment; returns the run with its front, trees, pictures and report.

    Args:
        recipe: a recipe file or an Experiment.
        out: the run folder, new or empty; by default ``out/<recipe>/<time>`` beside the recipe.
        changes: fields to change, by dotted name.
        resume: continue the run in ``out`` (by default the recipe's latest unfinished run) from its last checkpoints.
            The result is the same as without the interruption; failed trials are tried again.
        allow_changed: resume although the recipe has changed.
        address: address of a Ray cluster for the trials: ``HOST:PORT``, or ``auto`` for one on this machine. By
            default, a single trial runs in this process, and several run on a Ray cluster that is started for them.
        storage: sets `trials.storage_uri`.
        hours: how long a measured search may train; sets `strategy.hours`, and `strategy.trainings` to what fits, by
            the time of a few steps.
        on_start: called with the opened run.
        on_event: called with every event of a trial.
        on_training, on_training_epoch: called for each tree that is retrained to be measured, and for its epochs.

    Raises:
        InputError: bad input. WorkFailed: the search itself failed.
    """
    changes = {**(changes or {}), **({} if storage is None else {"trials.storage_uri": storage})}
    begin = _resumed if resume else _started
    run, parts = begin(recipe, out, changes, allow_changed, address, hours)
    with run.folder.locked():
        stored = run_storage(run.experiment, run.folder.path)

        def store() -> None:
            if stored is not None:
                stored.upload_run(run.folder.path)

        if stored is not None:
            stored.add_trials(run.folder.trials)
        store()
        if run.folder.finished and all_done(run):
            return Run(run.folder.path)
        if run.resumed:
            _LOGGER.info("resuming %s", run.folder.path)
        if run.experiment.latency is not None:
            _LOGGER.info("milliseconds of %s", LatencyTable.read(run.experiment.latency).description)
        on_start(run)
        points = find_points(run, parts, address, on_event)
        points += pool_trials(run.folder, run.experiment, points)
        if run.experiment.goal.measure != "none":

            def begin_training(progress: Progress) -> None:
                # Stores the trainings that have finished so far.
                store()
                on_training(progress)

            data = parts.data if parts else None
            points = measure_points(run, data, points, begin_training, on_training_epoch, address)
        _finish(run, points)
        store()
    return Run(run.folder.path)


def _plan(recipe: Recipe, changes: Mapping[str, Any], hours: float) -> dict[str, Any]:
    """The settings of a measured search that takes so long."""
    if not 0.0 < hours < math.inf:
        raise InputError(f"`hours` must be positive and finite; found {hours:g}")
    if (trainings := changes.get("strategy.trainings")) is not None:
        raise InputError(f"`hours` {hours:g} and `trainings` {trainings} both say what the search may cost; give one")
    experiment = open_experiment(recipe, changes)
    within: Callable[[Problem, float], float] | None = getattr(experiment.strategy, "trainings_within", None)
    if within is None:
        name = type(experiment.strategy).__name__
        raise InputError(f"`hours`: strategy {name} cannot be planned by time; use `preset=measured`")
    device = resolve_device(experiment.device)
    use_threads(experiment.num_threads)
    parts = TrialParts.build(experiment)
    with TemporaryDirectory() as folder:
        problem = problem_of(experiment, parts, RunFolder(Path(folder)), device)
        # Two digits, since a step's time varies by more than a percent.
        trainings = float(f"{within(problem, hours):.2g}")
    _LOGGER.warning("%g hours are planned as %g trainings, by the time of a few steps", hours, trainings)
    return {"strategy.hours": hours, "strategy.trainings": trainings}


def _started(
    recipe: Recipe,
    out: str | Path | None,
    changes: Mapping[str, Any],
    allow_changed: bool,
    address: str | None,
    hours: float | None,
) -> tuple[OpenRun, TrialParts | None]:
    if out is None and isinstance(recipe, Experiment):
        raise InputError("an Experiment needs a run folder: search(experiment, out=...)")
    path = default_folder(Path(str(recipe))) if out is None else Path(out)
    if hours is not None:
        RunFolder(path).require_new()
        changes = {**changes, **_plan(recipe, changes, hours)}
    run = new_run(recipe, path, changes, on_cluster=address is not None)
    # Before the folder is made, so that a broken recipe, or a budget below the smallest tree, leaves no folder behind.
    parts = check_trials(run.experiment, recipe, address, run.folder.labels)
    if (stored := run_storage(run.experiment, run.folder.path)) is not None and stored.begun:
        raise InputError(f"{stored.place}: has a run already; choose another `out`, or continue it with `resume=True`")
    begin_run(run, recipe, changes, num_threads=None if parts else trial_threads(run.experiment))
    return run, parts


def _resumed(
    recipe: Recipe,
    out: str | Path | None,
    changes: Mapping[str, Any],
    allow_changed: bool,
    address: str | None,
    hours: float | None,
) -> tuple[OpenRun, TrialParts | None]:
    if out is None and isinstance(recipe, Experiment):
        raise InputError("an Experiment needs its run folder to resume: search(experiment, out=..., resume=True)")
    path = latest_unfinished(Path(str(recipe))) if out is None else Path(out)
    _fetch(recipe, path, changes)
    if not RunFolder(path).begun:
        started = _started(recipe, path, changes, allow_changed, address, hours)
        warn_of_new_start(path, changes)
        return started
    if hours is not None:
        changes = {**changes, "strategy.hours": hours}
    recorded = RunFolder.open(path).record["overrides"]
    new = {name: value for name, value in plain_changes(changes).items() if recorded.get(name, ...) != value}
    if any(name not in EXTENDABLE for name in new):
        raise InputError(f"{path}: `changes` cannot change a run that is resumed; it was started with {recorded}")
    on_cluster = address is not None
    run = open_run(path, recipe=recipe, changes=new, allow_changed=allow_changed, on_cluster=on_cluster)
    if new:
        run.folder.change(run.experiment, new)
    return run, None


def _fetch(recipe: Recipe, path: Path, changes: Mapping[str, Any]) -> None:
    """Download the run from its storage if this machine does not have it: another machine may have begun it."""
    if RunFolder(path).begun or isinstance(recipe, Experiment):
        return
    stored = run_storage(open_experiment(recipe, changes), path)
    if stored is not None and stored.begun:
        stored.download(path)


def _finish(run: OpenRun, points: Sequence[Point]) -> None:
    front = make_front(points, run.experiment.goal.resource)
    table = read_costs(run.folder)
    assert table is not None
    draw_figures(run.folder, front, table)
    front.write(run.folder.path / "front.json")
    try_report(run.folder)
