"""Metrics by name: what a task's ``metrics`` may hold as strings.

Each is a function of the task that makes a `torchmetrics.Metric`, to be updated with the head's outputs and the
labels of the samples that have them. They are torchmetrics' own, told apart by what the outputs mean (logits) and by
which entries of a label hold no value (`nas.tasks.ignore`). ``higher_is_better`` is set on each. Accuracies and F1
are fractions in [0, 1], errors are in the label's unit, PSNR is in decibels. A metric of nothing is what torchmetrics
makes of it (0 or NaN): ask `update_called` first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torchmetrics

from nas.tasks.metrics.classification import accuracy, binary_accuracy, binary_f1, f1
from nas.tasks.metrics.regression import mae, psnr, rmse

if TYPE_CHECKING:
    from nas.tasks.task import Task

METRICS: dict[str, Callable[[Task], torchmetrics.Metric]] = {
    "accuracy": accuracy,
    "f1": f1,
    "binary_accuracy": binary_accuracy,
    "binary_f1": binary_f1,
    "rmse": rmse,
    "mae": mae,
    "psnr": psnr,
}

__all__ = ["METRICS", "accuracy", "binary_accuracy", "binary_f1", "f1", "mae", "psnr", "rmse"]
