"""`nas retrain`: train the discrete network of a tree."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nas.commands.opening import OpenRun, Recipe, open_run, start_run
from nas.errors import InputError
from nas.experiment import Experiment, Start, TrainedNetwork, TreeTraining, build_backbone, build_data, default_folder
from nas.network import check_fits


def retrain(
    run: Recipe,
    *,
    tree: str | Path | None = None,
    start: Start = "fresh",
    seed: int | None = None,
    out: str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    resume: bool = False,
    recipe: Recipe | None = None,
    allow_changed: bool = False,
    on_start: Callable[[TreeTraining], None] = lambda _: None,
    on_epoch: Callable[[dict[str, Any]], None] = lambda _: None,
) -> TrainedNetwork:
    """Train a tree's network and measure it on the test split.

    Args:
        run: a run folder; or a recipe or Experiment, for which a new run folder is made.
        tree: id (or its beginning) or file; the best tree of the run's front if left out.
        start: "fresh" weights as the backbone makes them, or those "inherited" from the search's supernet.
        seed: the experiment's own if left out.
        out: run folder, where ``run`` is a recipe.
        changes: fields to change, for instance ``{"retrain.epochs": 10}``.
        resume: go on from the last checkpoint of this training.
        recipe: the recipe of the run, if it is not where it was.

    Raises:
        InputError: bad input; a training of the same name was begun and ``resume`` is not set.
    """
    if tree is None and not _is_run(run):
        raise InputError("retraining from a recipe needs a tree file: --tree TREE.json")
    opened = _open(run, out, changes, recipe, allow_changed)
    found = opened.folder.find_tree(None if tree is None else str(tree))
    check_fits(found, build_backbone(opened.experiment).num_blocks, opened.experiment.task_names)
    training = TreeTraining(
        opened.folder, opened.experiment, found, opened.experiment.seed if seed is None else seed, start
    )
    if training.begun and not training.finished and not resume:
        raise InputError(f"{training.folder}: was begun and stopped; go on with --resume")
    with opened.folder.locked():
        on_start(training)
        return training.train(build_data(opened.experiment), opened.device, on_epoch)


def _is_run(run: Recipe) -> bool:
    return not isinstance(run, Experiment) and Path(run).is_dir()


def _open(
    run: Recipe, out: str | Path | None, changes: Mapping[str, Any] | None, recipe: Recipe | None, allow_changed: bool
) -> OpenRun:
    if not isinstance(run, Experiment) and (Path(run).is_dir() or Path(run).suffix != ".py"):
        return open_run(run, recipe=recipe, changes=changes, allow_changed=allow_changed)
    if out is None:
        if isinstance(run, Experiment):
            raise InputError("an Experiment needs a run folder: retrain(experiment, tree=..., out=...)")
        out = default_folder(Path(run))
    if (Path(out) / "experiment.json").is_file():
        return open_run(out, recipe=run, changes=changes, allow_changed=allow_changed)
    return start_run(run, Path(out), changes)
