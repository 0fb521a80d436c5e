"""Losses of classes: one of many, or yes and no."""

from torch import Tensor
from torch.nn import functional

from nas.errors import InputError
from nas.tasks.ignore import known_classes


def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean of ``-log softmax(outputs)[label]`` over the entries that hold a class.

    Args:
        outputs: logits, [n, num_classes] for an image's class or [n, num_classes, H, W] for each pixel's.
        labels: integers, [n] or [n, H, W]; negative or 255 is no value.

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


def binary_cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean of ``-y log sigmoid(x) - (1 - y) log sigmoid(-x)`` over the entries that hold a value.

    Args:
        outputs: logits x, [n, num_outputs] for attributes of an image or [n, num_outputs, H, W] for pixels.
        labels: y in [0, 1], of the same shape, of any type; negative or 255 is no value.

    Raises:
        InputError: the shapes differ.
    """
    if labels.shape != outputs.shape:
        raise InputError(
            f"binary_cross_entropy needs labels of the outputs' shape {list(outputs.shape)}; found {list(labels.shape)}"
        )
    known = known_classes(labels, num_classes=2)
    targets = labels.to(outputs.dtype).masked_fill(~known, 0)
    total = functional.binary_cross_entropy_with_logits(
        outputs, targets, weight=known.to(outputs.dtype), reduction="sum"
    )
    return total / known.sum().clamp(min=1)
