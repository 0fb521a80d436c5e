"""Entries of a label that hold no value, such as pixels or attributes that were not annotated.

(A sample without a label for a task is another case: `nas.data.Batch` leaves it out.) In labels of classes, a negative
number or 255 marks such entries, as in the usual data sets (-1, -100 or 255). In labels of quantities, NaN marks them;
and also 0 if the quantity is never zero, as directions and depths are. Losses and metrics use the same functions, so
entries that are not trained on are not scored either. `nas.tasks.labels` says which function each loss uses.
"""

import torch
from torch import Tensor

IGNORED_CLASS = 255


def known_classes(labels: Tensor, num_classes: int) -> Tensor:
    """Where a label of classes has a value: it is not negative, and not 255 (unless 255 is one of the classes)."""
    if num_classes > IGNORED_CLASS:
        return labels >= 0
    return (labels >= 0) & (labels != IGNORED_CLASS)


def known_values(labels: Tensor) -> Tensor:
    """Where a label of quantities has a value: it is not NaN."""
    return ~torch.isnan(labels)


def known_vectors(labels: Tensor) -> Tensor:
    """Where a label of directions [n, 3, H, W] has one, as [n, 1, H, W]: it is neither all zero nor holds NaN."""
    # NaN is not above 0, and neither is a sum with it.
    return (labels if labels.is_floating_point() else labels.float()).abs().sum(1, keepdim=True) > 0


def known_depths(labels: Tensor) -> Tensor:
    """Where a label of depths, or of inverse ones, has a value: it is above 0 and finite."""
    return (labels > 0) & labels.isfinite()
