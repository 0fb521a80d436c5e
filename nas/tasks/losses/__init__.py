"""Losses by name: what a task's ``loss`` may be if it is a string.

Each is a function of (outputs, labels) over the samples that have the label, and gives the mean over the entries that
hold a value (`nas.tasks.ignore`): a batch with fewer of them weighs as much as a full one, and a batch with none is
worth 0 with a gradient of 0, never NaN. What labels each takes is stated beside it (`nas.tasks.labels`). A loss that is
not here is passed to the task as a function.
"""

from collections.abc import Callable

from torch import Tensor

from nas.tasks.losses.classification import (
    balanced_binary_cross_entropy,
    binary_cross_entropy,
    cross_entropy,
    weighted_binary_cross_entropy,
)
from nas.tasks.losses.geometry import depth_l1, normals_cosine, normals_l1
from nas.tasks.losses.regression import l1, mse

LossFunction = Callable[[Tensor, Tensor], Tensor]
"""(outputs [n, ...], labels [n, ...]) -> mean loss, a scalar. Only samples that have the label are passed."""

LOSSES: dict[str, LossFunction] = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "balanced_binary_cross_entropy": balanced_binary_cross_entropy,
    "weighted_binary_cross_entropy": weighted_binary_cross_entropy,
    "normals_l1": normals_l1,
    "normals_cosine": normals_cosine,
    "depth_l1": depth_l1,
    "mse": mse,
    "l1": l1,
}

__all__ = [
    "LOSSES",
    "LossFunction",
    "balanced_binary_cross_entropy",
    "binary_cross_entropy",
    "cross_entropy",
    "depth_l1",
    "l1",
    "mse",
    "normals_cosine",
    "normals_l1",
    "weighted_binary_cross_entropy",
]
