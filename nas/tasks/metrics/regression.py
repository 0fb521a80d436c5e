"""Metrics of quantities: numbers of an image, or maps of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError
from torchmetrics.image import PeakSignalNoiseRatio

from nas.tasks.ignore import known_values

if TYPE_CHECKING:
    from nas.tasks.task import Task


def rmse(task: Task) -> MeanSquaredError:
    """Root of the mean squared error over all entries of all samples."""
    return _MeanSquaredError(squared=False)


def mae(task: Task) -> MeanAbsoluteError:
    """Mean absolute error over all entries of all samples."""
    return _MeanAbsoluteError()


def psnr(task: Task) -> PeakSignalNoiseRatio:
    """Peak signal-to-noise ratio ``-10 log10(mean squared error)`` in decibels, of maps with values in [0, 1].

    The error is pooled over all pixels of all samples first; papers on restoration often average the ratio of each
    image instead, which is higher.
    """
    return _PeakSignalNoiseRatio(data_range=1.0)


class _MeanSquaredError(MeanSquaredError):
    def update(self, outputs: Tensor, labels: Tensor) -> None:
        super().update(*_known(outputs, labels))


class _MeanAbsoluteError(MeanAbsoluteError):
    def update(self, outputs: Tensor, labels: Tensor) -> None:
        super().update(*_known(outputs, labels))


class _PeakSignalNoiseRatio(PeakSignalNoiseRatio):
    def update(self, outputs: Tensor, labels: Tensor) -> None:
        super().update(*_known(outputs, labels))


def _known(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The entries that hold a value, as two vectors."""
    known = known_values(labels)
    return outputs[known], labels[known]
