"""Losses by name: the strings that a task's ``loss`` may be. Other losses are passed to the task as functions.

Each loss is a function of (outputs, labels) of the samples that have the label, and returns the mean over the entries
that hold a value (`nas.tasks.ignore`). So a batch with fewer such entries has the same weight as a full one. Without
any, the loss is 0 with a gradient of 0, never NaN. The decorator `nas.tasks.labels.accepts` on each loss states the
labels that it accepts.

>>> import torch
>>> from nas.tasks.losses import LOSSES
>>> outputs, labels = torch.tensor([[1.0], [5.0]]), torch.tensor([[3.0], [torch.nan]])
>>> LOSSES["l1"](outputs, labels)
tensor(2.)
>>> sorted(name for name in LOSSES if "entropy" in name)
['balanced_binary_cross_entropy', 'binary_cross_entropy', 'cross_entropy', 'weighted_binary_cross_entropy']
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
    "cross_entropy",
    "weighted_binary_cross_entropy",
]
