"""Metrics of classes: one of many, or yes and no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryF1Score,
    MulticlassAccuracy,
    MulticlassF1Score,
    MulticlassJaccardIndex,
)

from nas.tasks.ignore import known_classes

if TYPE_CHECKING:
    from nas.tasks.task import Task


def accuracy(task: Task) -> MulticlassAccuracy:
    """Share of the entries whose most likely class is the label (top 1, all entries weighted alike)."""
    return _Accuracy(task.num_outputs, average="micro")


def f1(task: Task) -> MulticlassF1Score:
    """Mean of the classes' F1 = 2 TP / (2 TP + FP + FN), over the classes that occur in labels or outputs."""
    return _F1(task.num_outputs, average="macro")


def mean_iou(task: Task) -> MulticlassJaccardIndex:
    """Mean of the classes' intersections over unions TP / (TP + FP + FN), of the pixels of all samples together.

    A class that is in no label and in no output is left out of the mean, as in BMTAS; the background counts like any
    other class (21 on PASCAL, 7 for human parts). MTAN's code averages over the samples of a batch instead.
    """
    return _MeanIoU(task.num_outputs, average="macro")


def binary_accuracy(task: Task) -> BinaryAccuracy:
    """Share of the entries, over all attributes or pixels, on whose side of 0 the logit lies."""
    return _BinaryAccuracy()


def binary_f1(task: Task) -> BinaryF1Score:
    """F1 of the positive entries, over all attributes or pixels, at logit 0."""
    return _BinaryF1()


# Each skips a batch without values, because torchmetrics cannot count one.


class _Accuracy(MulticlassAccuracy):
    def update(self, outputs: Tensor, labels: Tensor) -> None:
        chosen, known = _most_likely(outputs, labels)
        if len(known):
            super().update(chosen, known)


class _F1(MulticlassF1Score):
    def update(self, outputs: Tensor, labels: Tensor) -> None:
        chosen, known = _most_likely(outputs, labels)
        if len(known):
            super().update(chosen, known)


class _MeanIoU(MulticlassJaccardIndex):
    def update(self, outputs: Tensor, labels: Tensor) -> None:
        chosen, known = _most_likely(outputs, labels)
        if len(known):
            super().update(chosen, known)


class _BinaryAccuracy(BinaryAccuracy):
    def update(self, outputs: Tensor, labels: Tensor) -> None:
        chosen, known = _positive(outputs, labels)
        if len(known):
            super().update(chosen, known)


class _BinaryF1(BinaryF1Score):
    def update(self, outputs: Tensor, labels: Tensor) -> None:
        chosen, known = _positive(outputs, labels)
        if len(known):
            super().update(chosen, known)


def _most_likely(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Classes that the logits [n, num_classes, ...] choose, and the labels [n, ...], where these hold a class."""
    known = known_classes(labels, outputs.shape[1])
    return outputs.argmax(1)[known], labels[known].long()


def _positive(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Yes or no by logits and labels, where these hold a value.

    The logits are cut here, since torchmetrics takes outputs that all lie in [0, 1] for probabilities.
    """
    known = known_classes(labels, num_classes=2)
    return (outputs[known] > 0).long(), (labels[known] > 0.5).long()
