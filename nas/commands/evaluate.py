"""`nas evaluate`: a trained network's losses and metrics on a split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.checkpoint import load_tensors
from nas.commands.opening import Recipe, open_run
from nas.data import SPLITS, SplitName
from nas.errors import InputError
from nas.experiment import RunFolder, TrainedNetwork, build_data, build_network
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
        tree: id or file; the only retrained tree if left out.
        checkpoint: a checkpoint of a training; the best epoch of the tree's training if left out.
        split: what to measure on.

    Returns:
        by task, "loss" and its metrics.

    Raises:
        InputError: no such tree, nothing trained, or the checkpoint is another network's.
    """
    if split not in SPLITS:
        raise InputError(f"there is no split {split!r}; splits are {', '.join(SPLITS)}")
    opened = open_run(run, recipe=recipe, changes=changes, allow_changed=allow_changed)
    if checkpoint is not None:
        path = Path(checkpoint)
        found = opened.folder.find_tree(str(tree)) if tree is not None else _tree_beside(path)
    else:
        path = best_checkpoint(opened.folder, None if tree is None else opened.folder.find_tree(str(tree)).id)
        found = read_tree(path.parent.parent / "tree.json")
    network = build_network(opened.experiment, found, opened.experiment.seed)
    load_network(network, load_tensors(path), str(path))
    network.to(opened.device)
    return evaluate_network(
        network,
        opened.experiment.tasks,
        build_data(opened.experiment).split(split),
        batch_size=max(opened.experiment.retrain.batch_size, 256),
        device=opened.device,
    )


def best_checkpoint(run: RunFolder, tree_id: str | None) -> Path:
    """The best epoch of the one finished training of a tree (of any, if no tree is named)."""
    results = sorted(run.path.glob(f"retrained/{tree_id or '*'}/*/result.json"))
    if len(results) != 1:
        problem = "more than one training" if results else "no finished training"
        which = "" if tree_id is None else f" of tree {tree_id}"
        names = ", ".join(str(path.parent.relative_to(run.path)) for path in results) or "none"
        raise InputError(f"{run.path}: {problem}{which} ({names}); retrain it, or name one with --checkpoint")
    best = TrainedNetwork.read(results[0]).best_epoch
    return results[0].parent / "checkpoint" / f"epoch-{best:04d}.pt"


def _tree_beside(checkpoint: Path) -> BranchTree:
    path = checkpoint.parent.parent / "tree.json"
    if not path.is_file():
        raise InputError(f"{checkpoint}: no tree.json beside its folder; name the tree with --tree")
    return read_tree(path)
