"""Metrics by name: the strings that a task's ``metrics`` may hold. Other metrics are passed to the task as functions.

Each is a function of the task that makes a `torchmetrics.Metric`, to be updated with the head's outputs and the
labels of the samples that have them. Most are torchmetrics' own inside a `MaskedMetric`, which leaves out the entries
of a label that hold no value (`nas.tasks.ignore`); others of torchmetrics can be wrapped in the same way.
``higher_is_better`` is set on each. Accuracies, F, IoU and other shares are fractions in [0, 1], errors are in the
label's unit, angles in degrees, PSNR is in decibels. All are of the whole set, however it is cut into batches, and none
keeps its samples. A metric is NaN, "no value", if no entry is known; a metric of yes and no also if all known entries
are the same. Each states the labels that it accepts (`nas.tasks.labels`).
"""

from collections.abc import Callable

import torchmetrics

from nas.tasks.metrics.boundary import BoundaryF, ods_f
from nas.tasks.metrics.classification import (
    accuracy,
    binary_accuracy,
    binary_f1,
    class_entries,
    decision_entries,
    f1,
    mean_iou,
    roc_auc,
)
from nas.tasks.metrics.depth import abs_rel, delta1, depth_entries, depth_mae, depth_rmse
from nas.tasks.metrics.masked import MaskedMetric, TaskOutputs
from nas.tasks.metrics.normals import angle_entries, mean_angle, median_angle, within_angle
from nas.tasks.metrics.regression import mae, number_entries, psnr, rmse
from nas.tasks.metrics.saliency import max_mean_iou

METRICS: dict[str, Callable[[TaskOutputs], torchmetrics.Metric]] = {
    "accuracy": accuracy,
    "f1": f1,
    "mean_iou": mean_iou,
    "binary_accuracy": binary_accuracy,
    "binary_f1": binary_f1,
    "roc_auc": roc_auc,
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
    "MaskedMetric",
    "angle_entries",
    "class_entries",
    "decision_entries",
    "depth_entries",
    "number_entries",
]
