"""`nas evaluate`: losses, metrics and costs of a trained network on a split."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.data import SPLITS, SplitName
from nas.deploy.exported_network import ExportedNetwork, is_export
from nas.deploy.output_kind import answers, output_kind
from nas.display import Displayed
from nas.engine.checkpoint import CheckpointFolder, load_tensors
from nas.errors import InputError, no_such
from nas.files import without_nan
from nas.networks.branched import check_fits
from nas.report.save import check_look
from nas.report.theme import ThemeName
from nas.run import TrainedNetwork, TreeTraining, build_backbone, build_data, build_network
from nas.run.opened_run import OpenRun, Recipe, find_tree, open_run
from nas.tasks import Task
from nas.training import Measured, TreeNetwork, delta_m, load_network, metric_directions
from nas.training.evaluate import evaluate as evaluate_network
from nas.training.evaluate import run_network
from nas.tree import BranchTree, read_tree

_NUM_DRAWN = 4
"""Samples in a picture of predictions."""


@dataclass(frozen=True, repr=False)
class Evaluation(Displayed):
    """Losses, metrics, gains and costs of a trained or exported network on a split.

    Args:
        tree: the network's tree; it may have fewer tasks than the experiment.
        measured: "loss" and metrics by task.
        relative: each task's gain over its single-task networks in percent, if the split is "test" and `nas compare`
            has trained these networks. NaN if their value is 0, or if nothing was measured.
        costs: costs by resource, for each task's own path through the tree, and for all tasks together as "all".
    """

    tree: BranchTree
    measured: Measured
    relative: Mapping[str, float]
    costs: Mapping[str, Mapping[str, float]]

    def summary(self) -> str:
        return f"tree {self.tree.id}, {len(self.measured)} tasks"

    def records(self) -> list[dict[str, Any]]:
        """A line for each task: its loss and metrics, its gain in percent, and the cost of its path."""
        return [
            {"task": task, **values, "gain": self.relative.get(task), **self.costs[task]}
            for task, values in self.measured.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "tree": self.tree.id,
            "measured": without_nan(self.measured),
            "relative": without_nan(self.relative),
            "costs": {name: dict(cost) for name, cost in self.costs.items()},
        }


def evaluate(
    run: str | Path,
    *,
    tree: str | Path | None = None,
    checkpoint: str | Path | None = None,
    split: SplitName = "test",
    changes: Mapping[str, Any] | None = None,
    recipe: Recipe | None = None,
    allow_changed: bool = False,
    out: str | Path | None = None,
    num_samples: int | None = None,
    theme: ThemeName | None = None,
    transparent: bool = False,
) -> Evaluation:
    """Measure a retrained or exported network of a run.

    Args:
        run: the run folder.
        tree: id, file or name (`nas.run.named_tree`); by default the only retrained tree, or else the best tree of the
            front.
        checkpoint: a checkpoint of a training, or an exported network (a bundle, .onnx or .pt2); by default the best
            epoch of the tree's training (`best_checkpoint`).
        split: the samples to measure on.
        out: a png, svg or pdf file, into which samples are drawn with their labels, and predictions below them.
        num_samples: how many samples are drawn; 4.
        theme, transparent: as for `nas.show`.

    Raises:
        InputError: no such tree, nothing trained, a checkpoint of another network, or inputs that are not pictures.
    """
    look = check_look(out, theme, transparent)
    if num_samples is not None and out is None:
        raise InputError("`num_samples` is how many samples are drawn; name a file with `out=FILE`, or leave it out")
    if split not in SPLITS:
        raise InputError(no_such("split", split, SPLITS))
    opened = open_run(run, recipe=recipe, changes=changes, allow_changed=allow_changed)
    path = best_checkpoint(opened, tree) if checkpoint is None else Path(checkpoint)
    network, device = _open_network(opened, path, tree, named=checkpoint is not None)
    measured = _measure(opened, network, device, split)
    if out is not None:
        from nas.report import sample_sheet, save_figure

        tasks = [task for task in opened.experiment.tasks if task.name in network.tree.tasks]
        predict = partial(_predictions, network, tasks, device)
        dataset = build_data(opened.experiment).split(split)
        sheet = sample_sheet(dataset, opened.experiment.tasks, num_samples or _NUM_DRAWN, predict=predict, theme=look)
        save_figure(sheet, out, transparent=transparent)
    table = opened.measure(opened.folder.experiment_of(network.tree, opened.experiment)).table
    costs = {name: table.single_task_cost(name) for name in network.tree.tasks}
    relative = _relative(opened, measured, len(table.blocks)) if split == "test" else {}
    return Evaluation(network.tree, measured, relative, {**costs, "all": table.tree_cost(network.tree)})


def measure_export(opened: OpenRun, path: Path, split: SplitName) -> Measured:
    """Losses and metrics of an exported network by task, on a split of a run's data, on the CPU."""
    exported = ExportedNetwork(path, build_backbone(opened.experiment))
    return _measure(opened, exported, torch.device("cpu"), split)


def _measure(opened: OpenRun, network: TreeNetwork, device: torch.device, split: SplitName) -> Measured:
    data = build_data(opened.experiment)
    opened.folder.labels.require(opened.experiment, data, [split])
    return evaluate_network(
        network,
        opened.experiment.tasks,
        data.split(split),
        batch_size=opened.experiment.retrain.evaluation_batch(opened.experiment.processes),
        device=device,
    )


@torch.no_grad()
def _predictions(
    network: TreeNetwork, tasks: Sequence[Task], device: torch.device, inputs: Tensor
) -> dict[str, Tensor]:
    """The predictions by task for some inputs."""
    network.eval()
    outputs = run_network(network, inputs.float().to(device))
    return {task.name: answers(output_kind(task), outputs[task.name].float().cpu()) for task in tasks}


def _open_network(
    opened: OpenRun, path: Path, tree: str | Path | None, *, named: bool
) -> tuple[TreeNetwork, torch.device]:
    """The network of a checkpoint, on the run's device; or an exported network, on the CPU."""
    if is_export(path):
        backbone = build_backbone(opened.experiment)
        exported = ExportedNetwork(path, backbone)
        check_fits(exported.tree, backbone.num_blocks, opened.experiment.task_names)
        return exported, torch.device("cpu")
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint or exported network")
    found = find_tree(opened, tree) if named and tree is not None else _tree_beside(path)
    experiment = opened.folder.experiment_of(found, opened.experiment)
    network = build_network(experiment, found, experiment.seed)
    load_network(network, load_tensors(path), str(path))
    return network.to(opened.device), opened.device


def _relative(opened: OpenRun, measured: Measured, num_blocks: int) -> dict[str, float]:
    """Each task's gain over its single-task networks, averaged over the seeds that have been trained."""
    experiment, gains = opened.experiment, {}
    for name, directions in metric_directions(experiment.tasks).items():
        single = BranchTree.shared([name], num_blocks)
        trainings = [
            TreeTraining(opened.folder, experiment, single, seed, "fresh") for seed in experiment.compare.seeds
        ]
        results = [training.result().test for training in trainings if training.finished]
        if name in measured and results:
            of_seeds = [delta_m(measured, result, {name: directions}) for result in results]
            gains[name] = statistics.fmean([gain for gain in of_seeds if math.isfinite(gain)] or [math.nan])
    return gains


def best_checkpoint(opened: OpenRun, name: str | Path | None) -> Path:
    """The best epoch of a tree's finished training; without a name, of the only training in the run.

    If a tree was trained several times, the training that `retrain` does by default is used.
    """
    run, experiment = opened.folder, opened.experiment
    trained = sorted(path.parent for path in run.path.glob("retrained/*/*/result.json"))
    if name is not None or (len(trained) != 1 and (run.finished or run.only_retrained)):
        tree = find_tree(opened, name)
        trained = [folder for folder in trained if folder.parent.name == tree.id]
        usual = TreeTraining(run, experiment, tree, experiment.seed, "fresh").folder
        trained = [usual] if usual in trained else trained
    if len(trained) != 1:
        names = ", ".join(str(folder.relative_to(run.path)) for folder in trained[:3])
        problem = f"more than one training ({names}, ...)" if trained else "no finished training"
        which = "" if name is None else f" of tree {name}"
        remedy = "choose one with `checkpoint=FILE`" if trained else "train one with nas retrain"
        raise InputError(f"{run.path}: {problem}{which}; {remedy}")
    best = TrainedNetwork.read(trained[0] / "result.json").best_epoch
    return CheckpointFolder(trained[0] / "checkpoint").path(best)


def _tree_beside(checkpoint: Path) -> BranchTree:
    path = checkpoint.parent.parent / "tree.json"
    if not path.is_file():
        raise InputError(
            f"{checkpoint}: the folder above has no tree.json to say which tree it was trained for; name it with "
            "`tree=TREE`"
        )
    return read_tree(path)
