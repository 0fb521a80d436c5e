"""Metrics of quantities: numbers of an image, or maps of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError
from torchmetrics.image import PeakSignalNoiseRatio

from nas.tasks.ignore import known_values
from nas.tasks.labels import NUMBERS, SHARES, accepts, as_floats
from nas.tasks.metrics.masked import MaskedMetric

if TYPE_CHECKING:
    from nas.tasks.task import Task


@accepts(NUMBERS)
def rmse(task: Task) -> MaskedMetric:
    """Root of the mean squared error over all entries of all samples."""
    return MaskedMetric(MeanSquaredError(squared=False), _known)


@accepts(NUMBERS)
def mae(task: Task) -> MaskedMetric:
    """Mean absolute error over all entries of all samples."""
    return MaskedMetric(MeanAbsoluteError(), _known)


@accepts(SHARES)
def psnr(task: Task) -> MaskedMetric:
    """Peak signal-to-noise ratio ``-10 log10(mean squared error)`` in decibels, of maps with values in [0, 1].

    The error is pooled over all pixels of all samples first; papers on restoration often average the ratio of each
    image instead, which is higher.
    """
    return MaskedMetric(PeakSignalNoiseRatio(data_range=1.0), _known)


def _known(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The entries that hold a value, as two vectors."""
    known = known_values(labels)
    return outputs[known], as_floats(labels[known])
