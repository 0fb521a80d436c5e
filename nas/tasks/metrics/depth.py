"""Errors of depth, or of inverse depth, over the pixels of all samples whose depth is known (see `known_depths`).

Outputs and labels are [n, 1, H, W] in one unit. All are pooled over the pixels of the set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanAbsolutePercentageError, MeanMetric, MeanSquaredError, Metric

from nas.tasks.ignore import known_depths

if TYPE_CHECKING:
    from nas.tasks.task import Task

FACTOR = 1.25


def depth_rmse(task: Task) -> Metric:
    """Root of the mean of ``(p - d)^2``."""
    return _RootMeanSquared(squared=False)


def depth_mae(task: Task) -> Metric:
    """Mean of ``|p - d|``: the absolute error of NYUv2's and Cityscapes' tables."""
    return _MeanAbsolute()


def abs_rel(task: Task) -> Metric:
    """Mean of ``|p - d| / d``: the relative error."""
    return _AbsoluteRelative()


def delta1(task: Task) -> Metric:
    """Share of the pixels with ``max(p / d, d / p) < 1.25``; a prediction p <= 0 is none of them."""
    return _WithinFactor()


class _RootMeanSquared(MeanSquaredError):
    def update(self, outputs: Tensor, labels: Tensor) -> None:
        if len((pair := _known(outputs, labels))[0]):
            super().update(*pair)


class _MeanAbsolute(MeanAbsoluteError):
    def update(self, outputs: Tensor, labels: Tensor) -> None:
        if len((pair := _known(outputs, labels))[0]):
            super().update(*pair)


class _AbsoluteRelative(MeanAbsolutePercentageError):
    def update(self, outputs: Tensor, labels: Tensor) -> None:
        if len((pair := _known(outputs, labels))[0]):
            super().update(*pair)


class _WithinFactor(MeanMetric):
    higher_is_better = True  # type: ignore[assignment]

    def update(self, outputs: Tensor, labels: Tensor) -> None:  # type: ignore[override]
        predicted, depths = _known(outputs, labels)
        if len(depths):
            # Without a division, so that predictions of 0 and below need no case of their own.
            near = torch.maximum(predicted, depths) < FACTOR * torch.minimum(predicted, depths)
            super().update(near.float())


def _known(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    known = known_depths(labels)
    return outputs[known].float(), labels[known].float()
