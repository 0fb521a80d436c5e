"""`nas evaluate`: a trained network's losses and metrics on a split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.checkpoint import CheckpointFolder, load_tensors
from nas.commands.opening import OpenRun, Recipe, open_run
from nas.data import SPLITS, SplitName
from nas.errors import InputError
from nas.experiment import TrainedNetwork, TreeTraining, build_data, build_network
from nas.training import Measured, load_network
from nas.training import evaluate as evaluate_network
from nas.tree import BranchTree, read_tree


def evaluate(
    run: str | Path,
    *,
    tree: str | Path | None = None,
    checkpoint: str | Path | None = None,
    split: SplitName = "test",
    changes: Mapping[str, Any] | None = None,
    recipe: Recipe | None = None,
    allow_changed: bool = False,
) -> Measured:
    """Measure a retrained network of a run.

    Args:
        run: the run folder.
        tree: id or file; the only retrained tree if left out, or else the front's best.
        checkpoint: a checkpoint of a training; the best epoch of the tree's training if left out (`best_checkpoint`).
        split: what to measure on.

    Returns:
        by task, "loss" and its metrics.

    Raises:
        InputError: no such tree, nothing trained, or the checkpoint is another network's.
    """
    if split not in SPLITS:
        raise InputError(f"there is no split {split!r}; splits are {', '.join(SPLITS)}")
    opened = open_run(run, recipe=recipe, changes=changes, allow_changed=allow_changed)
    path = best_checkpoint(opened, tree) if checkpoint is None else Path(checkpoint)
    found = opened.folder.find_tree(str(tree)) if checkpoint is not None and tree is not None else _tree_beside(path)
    experiment = opened.folder.experiment_of(found, opened.experiment)
    network = build_network(experiment, found, experiment.seed)
    load_network(network, load_tensors(path), str(path))
    network.to(opened.device)
    return evaluate_network(
        network,
        opened.experiment.tasks,
        build_data(opened.experiment).split(split),
        batch_size=max(opened.experiment.retrain.batch_size, 256),
        device=opened.device,
    )


def best_checkpoint(opened: OpenRun, name: str | Path | None) -> Path:
    """The best epoch of a tree's finished training; of the only one in the run, if no tree is named.

    Of several trainings of a tree it is that which `retrain` does without options.
    """
    run, experiment = opened.folder, opened.experiment
    trained = sorted(path.parent for path in run.path.glob("retrained/*/*/result.json"))
    if name is not None or (len(trained) > 1 and run.finished):
        tree = run.find_tree(None if name is None else str(name))
        trained = [folder for folder in trained if folder.parent.name == tree.id]
        usual = TreeTraining(run, experiment, tree, experiment.seed, "fresh").folder
        trained = [usual] if usual in trained else trained
    if len(trained) != 1:
        names = ", ".join(str(folder.relative_to(run.path)) for folder in trained[:3])
        problem = f"more than one training ({names}, ...)" if trained else "no finished training"
        which = "" if name is None else f" of tree {name}"
        raise InputError(f"{run.path}: {problem}{which}; retrain it, or name one with --checkpoint")
    best = TrainedNetwork.read(trained[0] / "result.json").best_epoch
    return CheckpointFolder(trained[0] / "checkpoint").path(best)


def _tree_beside(checkpoint: Path) -> BranchTree:
    path = checkpoint.parent.parent / "tree.json"
    if not path.is_file():
        raise InputError(f"{checkpoint}: no tree.json beside its folder; name the tree with --tree")
    return read_tree(path)
