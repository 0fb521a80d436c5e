"""Losses of classes: one of many, or yes and no."""

import torch
from torch import Tensor
from torch.nn import functional

from nas.errors import InputError
from nas.tasks.ignore import known_classes
from nas.tasks.labels import CLASSES, YES_OR_NO, accepts, require_shape_of_outputs


@accepts(CLASSES)
def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean of ``-log softmax(outputs)[label]`` over the entries that hold a class.

    Args:
        outputs: logits, [n, num_classes] for an image's class or [n, num_classes, H, W] for each pixel's.
        labels: integers, [n] or [n, H, W]; negative or 255 means no value.

    Raises:
        InputError: the shapes do not belong together, or the labels are not integers.
    """
    expected = outputs.shape[:1] + outputs.shape[2:]
    if labels.shape != expected or labels.is_floating_point():
        raise InputError(
            f"cross_entropy needs integer labels of shape {list(expected)} for outputs of shape "
            f"{list(outputs.shape)}; found {labels.dtype} of shape {list(labels.shape)}"
        )
    known = known_classes(labels, outputs.shape[1])
    total = functional.cross_entropy(outputs, labels.long().masked_fill(~known, -1), ignore_index=-1, reduction="sum")
    return total / known.sum().clamp(min=1)


@accepts(YES_OR_NO)
def binary_cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean of ``-y log sigmoid(x) - (1 - y) log sigmoid(-x)`` over the entries that hold a value.

    Args:
        outputs: logits x, [n, num_outputs] for attributes of an image or [n, num_outputs, H, W] for pixels.
        labels: y in [0, 1], of the same shape, of any type; negative or 255 means no value.

    Raises:
        InputError: the shapes differ.
    """
    targets, known = _binary_targets("binary_cross_entropy", outputs, labels)
    total = functional.binary_cross_entropy_with_logits(
        outputs, targets, weight=known.to(outputs.dtype), reduction="sum"
    )
    return total / known.sum().clamp(min=1)


@accepts(YES_OR_NO)
def weighted_binary_cross_entropy(outputs: Tensor, labels: Tensor, *, positive_weight: float = 0.95) -> Tensor:
    """Mean of ``-w y log sigmoid(x) - (1 - w) (1 - y) log sigmoid(-x)`` over the entries that hold a value.

    Used for edges, since few pixels are edges: the code of ASTMT and later papers sets w to 0.95 on PASCAL-Context and
    to 0.8 on NYUD. For another weight, pass ``functools.partial(weighted_binary_cross_entropy, positive_weight=0.8)``.

    Args:
        outputs, labels: as for `binary_cross_entropy`.
        positive_weight: w, in [0, 1].

    Raises:
        InputError: the shapes differ, or the weight is not in [0, 1].
    """
    if not 0 <= positive_weight <= 1:
        raise InputError(
            f"weighted_binary_cross_entropy needs a positive_weight in [0, 1] (negatives get 1 - positive_weight); "
            f"found {positive_weight:g}"
        )
    targets, known = _binary_targets("weighted_binary_cross_entropy", outputs, labels)
    weights = (positive_weight * targets + (1 - positive_weight) * (1 - targets)) * known
    total = functional.binary_cross_entropy_with_logits(outputs, targets, weight=weights, reduction="sum")
    return total / known.sum().clamp(min=1)


@accepts(YES_OR_NO)
def balanced_binary_cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """`weighted_binary_cross_entropy` in which w is the share of negatives among the batch's entries that hold a value.

    So positives and negatives have the same total weight. If a batch has only one of the two, the loss is 0. In an
    evaluation, w is that of the whole split (`nas.tasks.split_loss`). Used for saliency, as in BMTAS; the weights are
    those of HED (Xie and Tu, ICCV 2015, eq. 2), which computes them per image.

    Args:
        outputs, labels: as for `binary_cross_entropy`.

    Raises:
        InputError: the shapes differ.
    """
    return balanced_loss(balanced_sums(outputs, labels))


def balanced_sums(outputs: Tensor, labels: Tensor) -> Tensor:
    """The sums for `balanced_loss` over the entries that hold a value; the sums of several batches may be added.

    Returns:
        [4]: sum of the positives' losses, sum of the negatives' losses, number of negatives, number of entries.
    """
    targets, known = _binary_targets("balanced_binary_cross_entropy", outputs, labels)
    losses = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none") * known
    negatives = (1 - targets) * known
    return torch.stack([(losses * targets).sum(), (losses * negatives).sum(), negatives.sum(), known.sum()])


def balanced_loss(sums: Tensor) -> Tensor:
    """`balanced_binary_cross_entropy` of `balanced_sums`; 0 if there are no entries."""
    positive, negative, num_negative, num_known = sums.unbind()
    num_known = num_known.clamp(min=1)
    share = num_negative / num_known
    return (share * positive + (1 - share) * negative) / num_known


def _binary_targets(loss: str, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Labels in [0, 1], with 0 for entries without a value, and a mask of the entries with a value."""
    require_shape_of_outputs(loss, outputs, labels)
    known = known_classes(labels, num_classes=2)
    return labels.to(outputs.dtype).masked_fill(~known, 0), known
