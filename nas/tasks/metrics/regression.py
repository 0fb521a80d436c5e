"""Metrics of quantities: numbers per image, or maps of numbers."""

from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError
from torchmetrics.image import PeakSignalNoiseRatio

from nas.tasks.ignore import known_values
from nas.tasks.labels import NUMBERS, SHARES, accepts, as_floats
from nas.tasks.metrics.masked import MaskedMetric, TaskOutputs


@accepts(NUMBERS)
def rmse(task: TaskOutputs) -> MaskedMetric:
    """Root of the mean squared error over all entries of all samples."""
    return MaskedMetric(MeanSquaredError(squared=False), number_entries)


@accepts(NUMBERS)
def mae(task: TaskOutputs) -> MaskedMetric:
    """Mean absolute error over all entries of all samples."""
    return MaskedMetric(MeanAbsoluteError(), number_entries)


@accepts(SHARES)
def psnr(task: TaskOutputs) -> MaskedMetric:
    """Peak signal-to-noise ratio ``-10 log10(mean squared error)`` in decibels, of maps with values in [0, 1].

    The error is pooled over all pixels of all samples first; papers on restoration often average the ratio of each
    image instead, which is higher.
    """
    return MaskedMetric(PeakSignalNoiseRatio(data_range=1.0), number_entries)


def number_entries(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The entries that hold a value, as two vectors."""
    known = known_values(labels)
    return outputs[known], as_floats(labels[known])
