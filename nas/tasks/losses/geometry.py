"""Losses of quantities measured in the scene: surface normals and depth."""

import torch
from torch import Tensor
from torch.nn import functional

from nas.errors import InputError
from nas.tasks.ignore import known_depths, known_vectors
from nas.tasks.labels import DEPTHS, UNIT_VECTORS, accepts, as_floats, require_shape_of_outputs

_LEAST_LENGTH = 1e-6
"""The least length of a prediction; the direction of a shorter one is undefined, and its gradient unbounded."""


@accepts(UNIT_VECTORS)
def normals_l1(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean over the pixels that have a normal of ``sum_xyz |outputs / |outputs| - labels|``, as in BMTAS.

    Args:
        outputs: [n, 3, H, W], of any length.
        labels: unit vectors, [n, 3, H, W]; all zero, or NaN, means no value.

    Raises:
        InputError: the shapes differ, or there are not three channels.
    """
    directions, targets, known = _directions("normals_l1", outputs, labels)
    errors = (directions - targets).abs().sum(1, keepdim=True)
    return torch.where(known, errors, 0).sum() / known.sum().clamp(min=1)


@accepts(UNIT_VECTORS)
def normals_cosine(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean over the pixels that have a normal of ``1 - outputs . labels / |outputs|``, as in MTAN (Liu et al., CVPR
    2019) and most work on NYUv2; arguments as for `normals_l1`."""
    directions, targets, known = _directions("normals_cosine", outputs, labels)
    errors = 1 - (directions * targets).sum(1, keepdim=True)
    return torch.where(known, errors, 0).sum() / known.sum().clamp(min=1)


@accepts(DEPTHS)
def depth_l1(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean of ``|outputs - labels|`` over the pixels whose depth is known: the usual loss of multi-task work.

    Args:
        outputs: [n, 1, H, W], in the labels' unit; also for inverse depth.
        labels: of the same shape; 0, negative, infinite or NaN means no value.

    Raises:
        InputError: the shapes differ.
    """
    require_shape_of_outputs("depth_l1", outputs, labels)
    known = known_depths(labels)
    # Labels are masked before the subtraction, because infinity * 0 is NaN in the backward pass.
    errors = (outputs - torch.where(known, as_floats(labels), 0)).abs()
    return torch.where(known, errors, 0).sum() / known.sum().clamp(min=1)


def _directions(loss: str, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Predictions of unit length, labels without NaN, and the mask of known normals, [n, 1, H, W]."""
    if labels.shape != outputs.shape or outputs.shape[1:2] != (3,):
        raise InputError(
            f"{loss} needs outputs and labels of one shape [n, 3, ...]; "
            f"found outputs {list(outputs.shape)} and labels {list(labels.shape)}"
        )
    known = known_vectors(labels)
    directions = functional.normalize(outputs.float(), dim=1, eps=_LEAST_LENGTH)
    return directions, torch.where(known, as_floats(labels), 0), known
