"""The usual dense tasks fit the labels that data sources give, and are judged perfect by what is perfect."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nas.data import Batch
from nas.datasets.dense_tasks import (
    cityscapes_tasks,
    depth,
    edge,
    human_parts,
    normals,
    nyuv2_tasks,
    pascal_context_tasks,
    sal,
    scene_tasks,
    semseg,
)
from nas.datasets.npy_layout import NYUv2
from nas.datasets.pascal import TASKS as PASCAL_TASKS
from nas.datasets.scenes import TASKS as SCENE_TASKS
from nas.datasets.scenes import Scenes
from nas.tasks import METRICS, Task, task_losses


def test_tasks_are_called_as_their_data_calls_them() -> None:
    assert tuple(task.name for task in pascal_context_tasks()) == PASCAL_TASKS
    assert tuple(task.name for task in scene_tasks()) == SCENE_TASKS
    assert {task.name for task in nyuv2_tasks()} == NYUv2.LABELS.keys()
    assert [task.name for task in cityscapes_tasks()] == ["semseg", "depth"]


def test_bmtas_trains_and_reports_these() -> None:
    tasks = {task.name: task for task in pascal_context_tasks()}
    assert {name: (task.num_outputs, task.weight, task.metrics) for name, task in tasks.items()} == {
        "semseg": (21, 1, ("mean_iou",)),
        "human_parts": (7, 2, ("mean_iou",)),
        "sal": (1, 5, ("max_mean_iou",)),
        "normals": (3, 10, ("mean_angle",)),
        "edge": (1, 50, ("ods_f",)),
    }


def test_numbers_of_classes_are_those_of_the_releases() -> None:
    sizes = [{task.name: task.num_outputs for task in tasks()} for tasks in (nyuv2_tasks, cityscapes_tasks)]
    assert sizes == [{"semseg": 13, "depth": 1, "normals": 3}, {"semseg": 7, "depth": 1}]


@pytest.mark.parametrize("make", [human_parts, sal, normals, edge, depth, lambda **fields: semseg(4, **fields)])
def test_name_weight_and_metrics_can_be_chosen(make: Callable[..., Task]) -> None:
    task = make(name="mine", weight=3, metrics=["mae"])
    assert (task.name, task.weight, task.metrics) == ("mine", 3, ("mae",))


@pytest.fixture(scope="module")
def batch() -> Batch:
    return Scenes(sizes={"train": 4}, image_size=(48, 64)).split("train").__getitems__(range(4))


PERFECT = {
    "mean_iou": 1,
    "max_mean_iou": 1,
    "ods_f": 1,
    "mean_angle": 0,
    "depth_rmse": 0,
    "abs_rel": 0,
    "delta1": 1,
}


def _perfect(task: Task, label: Tensor) -> Tensor:
    """Outputs that a perfect network would have."""
    if task.loss == "cross_entropy":
        return 20 * torch.nn.functional.one_hot(label, task.num_outputs).movedim(-1, 1).float()
    return 20 * label - 10 if "binary" in str(task.loss) else label


@pytest.mark.parametrize("task", scene_tasks(), ids=lambda task: task.name)
def test_perfect_outputs_are_scored_as_perfect(batch: Batch, task: Task) -> None:
    label = batch.labels[task.name]
    outputs = _perfect(task, label)
    assert task_losses([task], {task.name: outputs}, batch)[task.name] < 1e-3
    for name in task.metrics:
        assert isinstance(name, str)
        metric = METRICS[name](task)
        metric.update(outputs, label)
        # The angle of float32 vectors that are equal up to their length.
        assert metric.compute().item() == pytest.approx(PERFECT[name], abs=1e-4)


def test_losses_of_an_untrained_network_are_of_one_size(batch: Batch) -> None:
    generator = torch.Generator().manual_seed(0)
    tasks = scene_tasks()
    outputs = {task.name: 0.1 * torch.randn(4, task.num_outputs, 48, 64, generator=generator) for task in tasks}
    losses = task_losses(tasks, outputs, batch)
    weighted = [task.weight * losses[task.name].item() for task in tasks]
    # BMTAS's weights bring losses between 0.1 and 5 to within a factor of 50; none is drowned by the others.
    assert max(weighted) / min(weighted) < 50
