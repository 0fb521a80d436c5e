"""Entries of a label that hold no value.

A sample without any label for a task never reaches a loss (`nas.data.Batch` leaves it out). This is about the finer
case: a label that is there, with pixels or attributes in it that nobody annotated. Classes mark them with a negative
number or 255, as the usual data sets do (-1 or 255, by release); quantities mark them with NaN. Losses and metrics
ask the same two functions, so that what is not trained on is not scored either.
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
