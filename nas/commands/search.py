"""`nas search`: from a recipe to a front of branch trees, drawn."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nas.commands.figures import draw_figures
from nas.commands.opening import OpenRun, Recipe, open_experiment, open_run, start_run
from nas.errors import InputError
from nas.experiment import (
    Experiment,
    RunFolder,
    TrialParts,
    check_feasible,
    default_folder,
    latest_unfinished,
    make_front,
)
from nas.strategies import GradientStrategy


def search(
    recipe: Recipe,
    *,
    out: str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    resume: bool = False,
    allow_changed: bool = False,
    on_start: Callable[[OpenRun], None] = lambda _: None,
    on_epoch: Callable[[dict[str, Any]], None] = lambda _: None,
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

    Raises:
        InputError: bad input. WorkFailed: the search itself failed.
    """
    run = _resumed(recipe, out, changes, allow_changed) if resume else _started(recipe, out, changes)
    with run.folder.locked():
        if not run.folder.finished:
            parts = TrialParts.build(run.experiment)
            on_start(run)
            _search(run, parts, on_epoch)
    return run.folder


def _started(recipe: Recipe, out: str | Path | None, changes: Mapping[str, Any] | None) -> OpenRun:
    if out is None and isinstance(recipe, Experiment):
        raise InputError("an Experiment needs a run folder: search(experiment, out=...)")
    # What no search can do, such as keeping a budget below the smallest tree, leaves no folder behind.
    check_feasible(open_experiment(recipe, changes))
    return start_run(recipe, default_folder(Path(str(recipe))) if out is None else Path(out), changes)


def _resumed(recipe: Recipe, out: str | Path | None, changes: Mapping[str, Any] | None, allow_changed: bool) -> OpenRun:
    if out is None and isinstance(recipe, Experiment):
        raise InputError("an Experiment needs its run folder to resume: search(experiment, out=..., resume=True)")
    path = latest_unfinished(Path(str(recipe))) if out is None else Path(out)
    if not (path / "experiment.json").exists() and (not path.exists() or not any(path.glob("[!.]*"))):
        # Stopped before its first file was written: nothing is there to go on from, and nothing is lost.
        return start_run(recipe, path, changes)
    recorded = RunFolder.open(path).record["overrides"]
    if changes and any(recorded.get(name) != value for name, value in changes.items()):
        raise InputError(f"{path}: --set cannot change a run that is resumed; it was started with {recorded}")
    return open_run(path, recipe=recipe, allow_changed=allow_changed)


def _search(run: OpenRun, parts: TrialParts, on_epoch: Callable[[dict[str, Any]], None]) -> None:
    points = GradientStrategy(run.experiment, run.folder).search(parts, run.device, on_epoch)
    front = make_front(points, run.experiment.search.resource)
    draw_figures(run.folder, front, parts.table)
    front.write(run.folder.path / "front.json")
