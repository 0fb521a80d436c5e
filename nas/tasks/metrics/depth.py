"""Errors of depth, or of inverse depth, over the pixels of all samples whose depth is known (see `known_depths`).

Outputs and labels are [n, 1, H, W] in the same unit. Statistics are over the pixels of the whole set.
"""

import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanAbsolutePercentageError, MeanMetric, MeanSquaredError

from nas.tasks.ignore import known_depths
from nas.tasks.labels import DEPTHS, accepts
from nas.tasks.metrics.masked import MaskedMetric, TaskOutputs

FACTOR = 1.25


@accepts(DEPTHS)
def depth_rmse(task: TaskOutputs) -> MaskedMetric:
    """Root of the mean of ``(p - d)^2``."""
    return MaskedMetric(MeanSquaredError(squared=False), depth_entries)


@accepts(DEPTHS)
def depth_mae(task: TaskOutputs) -> MaskedMetric:
    """Mean of ``|p - d|``: the absolute error of NYUv2's and Cityscapes' tables."""
    return MaskedMetric(MeanAbsoluteError(), depth_entries)


@accepts(DEPTHS)
def abs_rel(task: TaskOutputs) -> MaskedMetric:
    """Mean of ``|p - d| / d``: the relative error."""
    return MaskedMetric(MeanAbsolutePercentageError(), depth_entries)


@accepts(DEPTHS)
def delta1(task: TaskOutputs) -> MaskedMetric:
    """Share of the pixels with ``max(p / d, d / p) < 1.25``; a prediction p <= 0 is never near."""
    return MaskedMetric(MeanMetric(), _near, higher_is_better=True)


def depth_entries(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and labels of the pixels whose depth is known, as two vectors."""
    known = known_depths(labels)
    return outputs[known].float(), labels[known].float()


def _near(outputs: Tensor, labels: Tensor) -> tuple[Tensor]:
    predicted, depths = depth_entries(outputs, labels)
    # Without a division, so that predictions of 0 and below need no case of their own.
    return ((torch.maximum(predicted, depths) < FACTOR * torch.minimum(predicted, depths)).float(),)
