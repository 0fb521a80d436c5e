"""Losses of quantities: numbers per image, or maps of numbers."""

import torch
from torch import Tensor

from nas.tasks.ignore import known_values
from nas.tasks.labels import NUMBERS, accepts, as_floats, require_shape_of_outputs


@accepts(NUMBERS)
def mse(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean of ``(outputs - labels)^2`` over the entries that hold a value.

    Args:
        outputs: [n, num_outputs, ...].
        labels: of the same shape; NaN means no value.

    Raises:
        InputError: the shapes differ.
    """
    errors, num_known = _errors("mse", outputs, labels)
    return errors.square().sum() / num_known


@accepts(NUMBERS)
def l1(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean of ``|outputs - labels|`` over the entries that hold a value; arguments as for `mse`."""
    errors, num_known = _errors("l1", outputs, labels)
    return errors.abs().sum() / num_known


def _errors(loss: str, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Errors, with 0 for entries without a value; and the number of values, or 1 if there are none."""
    require_shape_of_outputs(loss, outputs, labels)
    known = known_values(labels)
    # Labels are masked before the subtraction, because NaN * 0 is NaN in the backward pass, too.
    errors = outputs - torch.where(known, as_floats(labels), 0)
    return torch.where(known, errors, 0), known.sum().clamp(min=1)
