"""Angles in degrees between predicted and true surface normals, over all pixels that have a normal.

Predictions and labels are [n, 3, H, W], with vectors of any length; a prediction of zeros is 90 degrees off. Statistics
are over the pixels of the whole set, as in BMTAS. MTAN's code averages the results of batches, which differs for the
median, and if samples have different numbers of valid pixels.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric, Metric

from nas.tasks.ignore import known_vectors
from nas.tasks.labels import DIRECTIONS, accepts
from nas.tasks.metrics.masked import MaskedMetric, TaskOutputs

BIN = 0.01
"""Width in degrees of the bins in which angles are counted for the median."""


@accepts(DIRECTIONS)
def mean_angle(task: TaskOutputs) -> MaskedMetric:
    """Mean of the angles."""
    return MaskedMetric(MeanMetric(), angle_entries, higher_is_better=False)


@accepts(DIRECTIONS)
def median_angle(task: TaskOutputs) -> MaskedMetric:
    """Median of the angles, the lower one of two, to within 0.01 degrees: they are counted in bins of that width."""
    return MaskedMetric(_Median(), angle_entries)


def within_angle(degrees: float) -> Callable[[TaskOutputs], MaskedMetric]:
    """A metric: the share of the pixels whose angle is below some degrees."""

    def near(outputs: Tensor, labels: Tensor) -> tuple[Tensor]:
        return ((angles(outputs, labels) < degrees).float(),)

    @accepts(DIRECTIONS)
    def within(task: TaskOutputs) -> MaskedMetric:
        return MaskedMetric(MeanMetric(), near, higher_is_better=True)

    within.__name__ = f"within_{degrees:g}".replace(".", "_")
    return within


def angles(outputs: Tensor, labels: Tensor) -> Tensor:
    """Angles in degrees, in [0, 180], at the pixels that have a normal, as one vector.

    For unit vectors a, b it is ``2 atan2(|a - b|, |a + b|)``, as the arc cosine of a . b has no digits left near 0.
    """
    known = known_vectors(labels).squeeze(1)
    a, b = (functional.normalize(x.movedim(1, -1)[known].float(), dim=-1) for x in (outputs, labels))
    return torch.rad2deg(2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1)))


def angle_entries(outputs: Tensor, labels: Tensor) -> tuple[Tensor]:
    """Angles in degrees at the pixels that have a normal, as one vector."""
    return (angles(outputs, labels),)


class _Median(Metric):
    higher_is_better = False
    full_state_update = False
    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(round(180 / BIN), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, found: Tensor) -> None:
        bins = (found / BIN).long().clamp(max=len(self.counts) - 1)
        self.counts += bins.bincount(minlength=len(self.counts))

    def compute(self) -> Tensor:
        upto = self.counts.cumsum(0)
        half = upto[-1] / 2
        bin_ = torch.searchsorted(upto, half.ceil().long())
        below = upto[bin_] - self.counts[bin_]
        return (bin_ + (half - below) / self.counts[bin_]) * BIN
