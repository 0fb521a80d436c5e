"""`nas retrain`: train the discrete network of a tree."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nas.errors import InputError
from nas.launch.dispatch import check_processes, train_tree
from nas.networks.branched import check_fits
from nas.recipe import Experiment
from nas.run import (
    RunFolder,
    Start,
    TrainedNetwork,
    TreeTraining,
    build_data,
    is_tree_name,
    trial_threads,
)
from nas.run.default_folder import default_folder
from nas.run.named_trees import FORMS
from nas.run.opened_run import OpenRun, Recipe, begin_run, find_tree, new_run, open_run, warn_of_new_start
from nas.tree import read_tree


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
    address: str | None = None,
    on_start: Callable[[TreeTraining], None] = lambda _: None,
    on_epoch: Callable[[dict[str, Any]], None] = lambda _: None,
) -> TrainedNetwork:
    """Train a tree's network and measure it on the test split; with distillation, its teachers are trained first.

    Args:
        run: a run folder; or a recipe or Experiment, for which a new run folder is made.
        tree: id (or its beginning), file, or a name: "shared", "separate", "random:SEED", "random:SEED:BUDGET"
            (`nas.run.named_tree`). By default the best tree of the run's front; a recipe needs a tree.
        start: where weights start: "fresh", as the backbone makes them, pretrained or not; "pretrained", the same, but
            an InputError if the backbone has no pretrained weights; "inherited" from the search's supernet.
        seed: seed of weights and batches; by default the experiment's.
        out: the run folder, if ``run`` is a recipe.
        changes: fields to change, for instance ``{"retrain.epochs": 10}``.
        resume: continue from the last checkpoint of this training.
        recipe: the recipe of the run, if it was moved.
        address: address of a Ray cluster for an experiment with several processes: ``HOST:PORT``, or ``auto`` for a
            cluster on this machine; it must have the run folder on a shared disk. By default they run on this machine.

    Raises:
        InputError: bad input, or the training was begun before and ``resume`` is not set.
    """
    opened = _open(run, tree, out, changes, resume, recipe, allow_changed, address is not None)
    if address is not None and opened.experiment.processes == 1:
        raise InputError(
            "`address` is for several processes; set the recipe's processes to 2 or more, or leave `address` out"
        )
    folder = opened.folder
    named = tree is not None and is_tree_name(str(tree))
    found = find_tree(opened, tree) if folder.begun or named else read_tree(str(tree))
    experiment = folder.experiment_of(found, opened.experiment)
    table = opened.measure(experiment).table
    check_fits(found, len(table.blocks), experiment.task_names)
    training = TreeTraining(folder, experiment, found, experiment.seed if seed is None else seed, start)
    if training.finished:
        on_start(training)
        return training.result()
    if training.interrupted and not resume:
        raise InputError(f"{training.folder}: this training was stopped before its end; continue it with `resume=True`")
    training.check()
    check_processes(experiment, opened.recipe is None, address)
    with contextlib.ExitStack() as held:
        # An existing run is locked before the data are read, so that a run in use is refused at once. A new run gets
        # its folder only after the data have been read.
        begun = folder.begun
        if begun:
            held.enter_context(folder.locked())
        data = build_data(experiment) if address is None else None
        if data is not None:
            folder.labels.require(experiment, data)
        if not begun:
            threads = None if experiment.processes == 1 else trial_threads(experiment)
            begin_run(opened, run, changes, num_threads=threads)
            held.enter_context(folder.locked())
            if resume:
                warn_of_new_start(folder.path, changes or {})
        if folder.trial_of(found) is None:
            folder.keep_tree(found, table)
        for teacher in training.teachers():
            if not teacher.finished:
                on_start(teacher)
                train_tree(opened, teacher, data, on_epoch, address)
        on_start(training)
        return train_tree(opened, training, data, on_epoch, address)


def _open(
    run: Recipe,
    tree: str | Path | None,
    out: str | Path | None,
    changes: Mapping[str, Any] | None,
    resume: bool,
    recipe: Recipe | None,
    allow_changed: bool,
    on_cluster: bool,
) -> OpenRun:
    if not isinstance(run, Experiment) and (Path(run).is_dir() or Path(run).suffix != ".py"):
        if out is not None:
            raise InputError(
                f"`out` is for retraining from a recipe; what is trained in the run folder {run} stays there"
            )
        return open_run(run, recipe=recipe, changes=changes, allow_changed=allow_changed, on_cluster=on_cluster)
    if tree is None:
        raise InputError(f"{run}: a recipe has no trees of its own; name one with `tree`: FILE.json, {FORMS}")
    if out is None and (resume or isinstance(run, Experiment)):
        raise InputError(
            "resuming a recipe's retraining, or retraining an Experiment, needs a run folder: `out=FOLDER`"
        )
    path = default_folder(Path(str(run))) if out is None else Path(out)
    if RunFolder(path).begun and (resume or (path / "experiment.json").is_file()):
        return open_run(path, recipe=run, changes=changes, allow_changed=allow_changed, on_cluster=on_cluster)
    return new_run(run, path, changes, on_cluster=on_cluster)
