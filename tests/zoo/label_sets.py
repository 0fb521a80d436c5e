"""Labels of the kinds that people bring: by name, a task and a function from an input and its index to a label."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nas import Task

SIDE = 16
"""Pixels a side of the inputs, [3, SIDE, SIDE] with values in [0, 1]."""


@dataclass(frozen=True)
class LabelSet:
    """A task's labels.

    Args:
        label: the label of an input, its index within the split and the split's name; None if it has none.
        dense: the task has a value for each pixel.
        refused: a word of the sentence with which `nas check` refuses it; "" if it has to work.
        said: a word of what `nas check` prints of it, where it works but something is odd; "" otherwise.
    """

    task: Task
    label: Callable[[Tensor, int, str], Tensor | None]
    dense: bool = False
    refused: str = ""
    said: str = ""


def _classes(image: Tensor) -> Tensor:
    return (image[0] * 3).long().clamp(max=2)


def _kind(image: Tensor) -> Tensor:
    return (image[0].mean() * 300 % 3).long()


def _yes(image: Tensor) -> Tensor:
    return (image[:1].mean((1, 2)) * 100 % 2 >= 1).float()


def _with(image: Tensor, value: float, rows: int = 4) -> Tensor:
    """Depths of one channel; some rows are filled with one value."""
    depth = 1 + image[:1]
    depth[:, :rows] = value
    return depth


def _ignored(image: Tensor, value: int) -> Tensor:
    labels = _classes(image)
    labels[:4] = value
    return labels


def _task(loss: str, num_outputs: int, metric: str) -> Task:
    return Task(name="odd", num_outputs=num_outputs, loss=loss, metrics=(metric,))


CLASS = _task("cross_entropy", 3, "accuracy")
SEGMENTS = _task("cross_entropy", 3, "mean_iou")
BINARY = _task("binary_cross_entropy", 1, "binary_f1")
EDGES = _task("weighted_binary_cross_entropy", 1, "binary_f1")
NUMBER = _task("mse", 1, "rmse")
DEPTH = _task("depth_l1", 1, "depth_rmse")
NORMALS = _task("normals_l1", 3, "mean_angle")


def _normals(image: Tensor) -> Tensor:
    normals = torch.nn.functional.normalize(image - 0.5, dim=0)
    normals[:, :4] = 0
    return normals


LABEL_SETS = {
    "int64 classes": LabelSet(CLASS, lambda x, i, s: _kind(x)),
    "int32 classes": LabelSet(CLASS, lambda x, i, s: _kind(x).int()),
    "uint8 class map": LabelSet(SEGMENTS, lambda x, i, s: _classes(x).to(torch.uint8), dense=True),
    "uint16 class map": LabelSet(SEGMENTS, lambda x, i, s: _classes(x).to(torch.uint16), dense=True),
    "ignore -1": LabelSet(SEGMENTS, lambda x, i, s: _ignored(x, -1), dense=True),
    "ignore -100": LabelSet(SEGMENTS, lambda x, i, s: _ignored(x, -100), dense=True),
    "ignore 255": LabelSet(SEGMENTS, lambda x, i, s: _ignored(x, 255), dense=True),
    "ignore 255 as uint8": LabelSet(SEGMENTS, lambda x, i, s: _ignored(x, 255).to(torch.uint8), dense=True),
    "an absent class": LabelSet(SEGMENTS, lambda x, i, s: _classes(x).clamp(max=1), dense=True),
    "bool attribute": LabelSet(BINARY, lambda x, i, s: _yes(x).bool()),
    "float attribute": LabelSet(BINARY, lambda x, i, s: _yes(x)),
    "mask of 0 and 1": LabelSet(BINARY, lambda x, i, s: (x[:1] > 0.5).to(torch.uint8), dense=True),
    "soft edges": LabelSet(EDGES, lambda x, i, s: x[:1], dense=True),
    "number": LabelSet(NUMBER, lambda x, i, s: x[1].mean()[None]),
    "float64 number": LabelSet(NUMBER, lambda x, i, s: x[1].mean()[None].double()),
    "float16 number": LabelSet(NUMBER, lambda x, i, s: x[1].mean()[None].half()),
    "NaN for no number": LabelSet(NUMBER, lambda x, i, s: x[1].mean()[None] if i % 2 else torch.full((1,), math.nan)),
    "no label on half": LabelSet(CLASS, lambda x, i, s: _kind(x) if i % 2 else None),
    "depth 0 for none": LabelSet(DEPTH, lambda x, i, s: _with(x, 0.0), dense=True),
    "infinite depth": LabelSet(DEPTH, lambda x, i, s: _with(x, math.inf), dense=True),
    "uint16 depth": LabelSet(DEPTH, lambda x, i, s: (1000 + 1000 * x[:1]).to(torch.uint16), dense=True),
    "normals, some zero": LabelSet(NORMALS, lambda x, i, s: _normals(x), dense=True),
    "mask of 0 and 255": LabelSet(
        BINARY, lambda x, i, s: (x[:1] > 0.5).to(torch.uint8) * 255, dense=True, refused="255"
    ),
    "grey edges": LabelSet(EDGES, lambda x, i, s: (x[:1] * 254).round(), dense=True, refused="254"),
    "always missing": LabelSet(CLASS, lambda x, i, s: None, refused="label"),
    "nothing but ignored": LabelSet(SEGMENTS, lambda x, i, s: _ignored(x, 255) * 0 + 255, dense=True, refused="value"),
    "one class alone": LabelSet(BINARY, lambda x, i, s: torch.zeros(1), refused="alike"),
    "class out of range": LabelSet(CLASS, lambda x, i, s: _kind(x) + 1, refused="class 3"),
    "out of range in one test sample": LabelSet(
        CLASS, lambda x, i, s: torch.tensor(7) if (s, i) == ("test", 13) else _kind(x), refused="class 7"
    ),
    "classes as floats": LabelSet(CLASS, lambda x, i, s: _kind(x).float(), refused="integer"),
    "wrong shape": LabelSet(CLASS, lambda x, i, s: _kind(x)[None], refused="shape"),
    "infinite number": LabelSet(NUMBER, lambda x, i, s: x[1].mean()[None] / (i % 2), refused="inf"),
}
