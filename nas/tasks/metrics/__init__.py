"""Metrics by name: the strings that a task's ``metrics`` may hold. Other metrics are passed to the task as functions.

Each is a function of the task that makes a `torchmetrics.Metric`. Update it with the head's outputs and the labels of
the samples that have them. Most are torchmetrics' own metrics inside a `MaskedMetric`, which turns logits into
predictions and leaves out entries without a value (`nas.tasks.ignore`).

- Units: accuracies, F, IoU and other shares are fractions in [0, 1]; errors are in the label's unit, angles in degrees,
  PSNR in decibels. ``higher_is_better`` is set on each metric.
- A metric does not depend on the batch size, and keeps no samples.
- A metric is NaN ("no value") if no entry has a value; and also, for labels of yes and no, if all are the same.
- The decorator `nas.tasks.labels.accepts` on each function states the labels that its metric accepts.

>>> import torch
>>> from nas.tasks import METRICS, Task
>>> metric = METRICS["mae"](Task(name="depth", num_outputs=1, loss="l1", metrics=("mae",)))
>>> metric.update(torch.tensor([[1.0], [5.0]]), torch.tensor([[3.0], [torch.nan]]))
>>> metric.compute(), metric.higher_is_better
(tensor(2.), False)

Start with `nas.tasks.metrics.masked`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torchmetrics

from nas.tasks.metrics.boundary import BoundaryF, ods_f
from nas.tasks.metrics.classification import accuracy, binary_accuracy, binary_f1, f1, mean_iou
from nas.tasks.metrics.depth import abs_rel, delta1, depth_mae, depth_rmse
from nas.tasks.metrics.normals import mean_angle, median_angle, within_angle
from nas.tasks.metrics.regression import mae, psnr, rmse
from nas.tasks.metrics.saliency import max_mean_iou

if TYPE_CHECKING:
    from nas.tasks.task import Task

METRICS: dict[str, Callable[[Task], torchmetrics.Metric]] = {
    "accuracy": accuracy,
    "f1": f1,
    "mean_iou": mean_iou,
    "binary_accuracy": binary_accuracy,
    "binary_f1": binary_f1,
    "rmse": rmse,
    "mae": mae,
    "psnr": psnr,
    "max_mean_iou": max_mean_iou,
    "ods_f": ods_f,
    "mean_angle": mean_angle,
    "median_angle": median_angle,
    "within_11_25": within_angle(11.25),
    "within_22_5": within_angle(22.5),
    "within_30": within_angle(30),
    "depth_rmse": depth_rmse,
    "depth_mae": depth_mae,
    "abs_rel": abs_rel,
    "delta1": delta1,
}

__all__ = [
    "METRICS",
    "BoundaryF",
    "abs_rel",
    "accuracy",
    "binary_accuracy",
    "binary_f1",
    "delta1",
    "depth_mae",
    "depth_rmse",
    "f1",
    "mae",
    "max_mean_iou",
    "mean_angle",
    "mean_iou",
    "median_angle",
    "ods_f",
    "psnr",
    "rmse",
    "within_angle",
]
