"""`nas search`: from a recipe to a front of branch trees, drawn."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.commands.compare import Progress
from nas.commands.figures import draw_figures
from nas.commands.measuring import measure_points
from nas.commands.opening import OpenRun, Recipe, begin_run, new_run, open_run
from nas.errors import InputError
from nas.experiment import (
    Experiment,
    Point,
    RunFolder,
    TrialParts,
    default_folder,
    latest_unfinished,
    make_front,
    plain_changes,
)
from nas.strategies import GradientStrategy

_LOGGER = logging.getLogger(__name__)


def search(
    recipe: Recipe,
    *,
    out: str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    resume: bool = False,
    allow_changed: bool = False,
    on_start: Callable[[OpenRun], None] = lambda _: None,
    on_epoch: Callable[[dict[str, Any]], None] = lambda _: None,
    on_training: Callable[[Progress], None] = lambda _: None,
    on_training_epoch: Callable[[dict[str, Any]], None] = lambda _: None,
) -> RunFolder:
    """Search an experiment's trees; returns the run folder with ``front.json``, trees and their pictures.

    Args:
        recipe: a recipe file or an Experiment.
        out: the run folder, new or empty; by default ``out/<recipe>/<time>`` beside the recipe.
        changes: fields to change, by dotted name.
        resume: go on with the run in ``out`` (or the recipe's latest unfinished one) from its last checkpoint,
            to the same result as if it had never stopped.
        allow_changed: resume although the recipe has changed.
        on_start, on_epoch: called with the opened run, and with each finished epoch's record.
        on_training, on_training_epoch: the same for each tree that is retrained to be measured.

    Raises:
        InputError: bad input. WorkFailed: the search itself failed.
    """
    run, parts = _resumed(recipe, out, changes, allow_changed) if resume else _started(recipe, out, changes)
    with run.folder.locked():
        if not run.folder.finished:
            parts = parts or TrialParts.build(run.experiment)
            on_start(run)
            points = GradientStrategy(run.experiment, run.folder).search(parts, run.device, on_epoch)
            points = measure_points(run, parts.data, points, on_training, on_training_epoch)
            _finish(run, parts, points)
    return run.folder


def _started(
    recipe: Recipe, out: str | Path | None, changes: Mapping[str, Any] | None
) -> tuple[OpenRun, TrialParts | None]:
    if out is None and isinstance(recipe, Experiment):
        raise InputError("an Experiment needs a run folder: search(experiment, out=...)")
    run = new_run(recipe, default_folder(Path(str(recipe))) if out is None else Path(out), changes)
    # First, so that a recipe that does not work, or a budget below the smallest tree, leaves no folder behind.
    parts = TrialParts.build(run.experiment)
    begin_run(run, recipe, changes)
    return run, parts


def _resumed(
    recipe: Recipe, out: str | Path | None, changes: Mapping[str, Any] | None, allow_changed: bool
) -> tuple[OpenRun, TrialParts | None]:
    if out is None and isinstance(recipe, Experiment):
        raise InputError("an Experiment needs its run folder to resume: search(experiment, out=..., resume=True)")
    path = latest_unfinished(Path(str(recipe))) if out is None else Path(out)
    if not RunFolder(path).begun:
        # Stopped before the record was written: nothing is lost, but the changes made then are not known.
        started = _started(recipe, path, changes)
        _LOGGER.warning("%s: nothing to go on from; starting anew", path)
        return started
    recorded = RunFolder.open(path).record["overrides"]
    if any(name not in recorded or recorded[name] != value for name, value in plain_changes(changes or {}).items()):
        raise InputError(f"{path}: --set cannot change a run that is resumed; it was started with {recorded}")
    return open_run(path, recipe=recipe, allow_changed=allow_changed), None


def _finish(run: OpenRun, parts: TrialParts, points: Sequence[Point]) -> None:
    front = make_front(points, run.experiment.search.resource)
    draw_figures(run.folder, front, parts.table)
    front.write(run.folder.path / "front.json")
