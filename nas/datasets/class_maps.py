"""Maps of classes: from the numbers that files hold to labels, with 255 where a pixel has no class."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nas.data.augmentation.geometry import IGNORED_CLASS
from nas.data.reading import Array
from nas.errors import InputError


def classes_from_zero(path: Path, numbers_HW: Array, num_classes: int) -> Tensor:
    """Classes that are stored as 0 to num_classes - 1, and 255 for none: int64 [H, W].

    Raises:
        InputError: there is another number; the message names the file.
    """
    return _classes(path, numbers_HW, first=0, num_classes=num_classes, none=IGNORED_CLASS)


def classes_from_one(path: Path, numbers_HW: Array, num_classes: int) -> Tensor:
    """Classes that are stored as 1 to num_classes, and 0 for none: int64 [H, W], 0 to num_classes - 1.

    Raises:
        InputError: there is another number; the message names the file.
    """
    return _classes(path, numbers_HW, first=1, num_classes=num_classes, none=0)


def _classes(path: Path, numbers_HW: Array, *, first: int, num_classes: int, none: int) -> Tensor:
    with np.errstate(invalid="ignore"):
        # A NaN becomes an arbitrary integer, differs from it, and so is refused.
        classes_HW = numbers_HW.astype(np.int64) - first
    known_HW = (classes_HW >= 0) & (classes_HW < num_classes)
    wrong_HW = ~known_HW & (numbers_HW != none) | (classes_HW + first != numbers_HW)
    if wrong_HW.any():
        raise InputError(
            f"{path}: holds {numbers_HW[wrong_HW][0]:g}; classes are stored as {first} to {first + num_classes - 1}, "
            f"and {none} is ignored"
        )
    return torch.from_numpy(np.where(known_HW, classes_HW, IGNORED_CLASS))
