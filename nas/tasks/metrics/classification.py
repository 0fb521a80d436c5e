"""Metrics of classes: one of many, or yes and no."""

import torch
from torch import Tensor
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    BinaryF1Score,
    MulticlassAccuracy,
    MulticlassF1Score,
    MulticlassJaccardIndex,
)

from nas.tasks.ignore import known_classes
from nas.tasks.labels import CLASSES, YES_OR_NO, accepts
from nas.tasks.metrics.masked import MaskedMetric, TaskOutputs


@accepts(CLASSES)
def accuracy(task: TaskOutputs) -> MaskedMetric:
    """Share of the entries whose most likely class is the label (top 1, all entries weighted alike)."""
    return MaskedMetric(MulticlassAccuracy(task.num_outputs, average="micro"), class_entries)


@accepts(CLASSES)
def f1(task: TaskOutputs) -> MaskedMetric:
    """Mean of the classes' F1 = 2 TP / (2 TP + FP + FN), over the classes that occur in labels or outputs."""
    return MaskedMetric(MulticlassF1Score(task.num_outputs, average="macro"), class_entries)


@accepts(CLASSES)
def mean_iou(task: TaskOutputs) -> MaskedMetric:
    """Mean of the classes' intersections over unions TP / (TP + FP + FN), of the pixels of all samples together.

    A class that is in no label and in no output is left out of the mean, as in BMTAS; the background counts like any
    other class (21 on PASCAL, 7 for human parts). MTAN's code averages over the samples of a batch instead.
    """
    return MaskedMetric(MulticlassJaccardIndex(task.num_outputs, average="macro"), class_entries)


@accepts(YES_OR_NO)
def binary_accuracy(task: TaskOutputs) -> MaskedMetric:
    """Share of the entries (attributes or pixels) whose logit is above 0 for yes, and otherwise not."""
    return MaskedMetric(BinaryAccuracy(), decision_entries, decisions=True)


@accepts(YES_OR_NO)
def binary_f1(task: TaskOutputs) -> MaskedMetric:
    """F1 of the positive entries, over all attributes or pixels, at logit 0."""
    return MaskedMetric(BinaryF1Score(), decision_entries, decisions=True)


@accepts(YES_OR_NO)
def roc_auc(task: TaskOutputs) -> MaskedMetric:
    """Area under the ROC curve: how often an entry that is yes has a larger logit than one that is no.

    Logits are compared at 1,001 thresholds from -12 to 12, so that memory does not grow with the number of entries; for
    outputs that are spread over the thresholds the result is within 0.001 of the exact area.
    """
    thresholds = torch.linspace(-12, 12, 1001).sigmoid()
    return MaskedMetric(BinaryAUROC(thresholds=thresholds), probability_entries, decisions=True)


def class_entries(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Classes that the logits [n, num_classes, ...] choose, and the labels [n, ...], where these hold a class."""
    known = known_classes(labels, outputs.shape[1])
    return outputs.argmax(1)[known], labels[known].long()


def decision_entries(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Yes or no by logits and labels, where these hold a value.

    Logits become decisions here, because torchmetrics takes outputs for probabilities if all are in [0, 1].
    """
    known = known_classes(labels, num_classes=2)
    return (outputs[known] > 0).long(), (labels[known] > 0.5).long()


def probability_entries(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The probability of yes, and yes or no by the labels, where these hold a value."""
    known = known_classes(labels, num_classes=2)
    return outputs[known].float().sigmoid(), (labels[known] > 0.5).long()
