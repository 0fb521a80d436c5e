"""Masks: pictures whose pixels are classes, or yes and no."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nas.data.augmentation.geometry import IGNORED_CLASS
from nas.data.augmentation.kinds import LabelKind
from nas.data.reading import read_picture
from nas.datasets.columns import task_name
from nas.errors import InputError
from nas.tasks import Task

_MOST_READ = 256
"""This many masks, evenly spaced, tell what values masks have."""
_MODES = ("1", "L", "P", "I", "I;16")

Pixels = npt.NDArray[np.integer]


@dataclass(frozen=True)
class MaskColumn:
    """A column of masks.

    Args:
        task: its task: a class for each pixel, or yes and no.
        files: for each row its mask, or None.
        yes: the value that means yes, 1 or 255; None if the values are classes.
    """

    task: Task
    files: Sequence[Path | None]
    yes: int | None

    @property
    def kind(self) -> LabelKind:
        return "classes" if self.yes is None else "mask"

    def read(self, row: int) -> Tensor | None:
        """The label of a row: classes [H, W], or yes and no [1, H, W] as 1 and 0; None without a mask.

        Raises:
            InputError: the file is missing, damaged, in colour, or has a value that no other mask has.
        """
        path = self.files[row]
        if path is None:
            return None
        pixels = read_mask(path)
        if self.yes is not None:
            _require(path, pixels, (pixels == 0) | (pixels == self.yes), f"0 and {self.yes}")
            return torch.from_numpy((pixels == self.yes).astype(np.float32))[None]
        known = (pixels < self.task.num_outputs) | (pixels == IGNORED_CLASS)
        _require(path, pixels, known, f"0 to {self.task.num_outputs - 1}, and {IGNORED_CLASS} for no value")
        return torch.from_numpy(pixels.astype(np.int64))


def mask_column(name: str, files: Sequence[Path | None], names: Sequence[str] = ()) -> MaskColumn:
    """The task of a column of masks, by the names of their classes, or by the values in up to 256 of them.

    Values 0 and 1, or 0 and 255, are no and yes. Otherwise they are classes from 0 on, and 255 is no value.

    Raises:
        InputError: a mask cannot be read or is in colour, all have one value, or the values are not classes from 0 on.
    """
    if names:
        return MaskColumn(_class_task(name, len(names), tuple(names)), files, None)
    present = [path for path in files if path is not None]
    chosen = present[:: -(-len(present) // _MOST_READ)] if present else []
    values = sorted({int(value) for path in chosen for value in np.unique(read_mask(path))})
    if values in ([0, 1], [0, IGNORED_CLASS]):
        task = Task(
            name=task_name(name), num_outputs=1, loss="binary_cross_entropy", metrics=("binary_f1",), dense=True
        )
        return MaskColumn(task, files, values[1])
    classes = [value for value in values if value != IGNORED_CLASS]
    if len(classes) < 2 or classes[0] < 0 or classes[-1] > 2 * len(classes) + 1:
        shown = ", ".join(map(str, values[:6])) + (", ..." if len(values) > 6 else "")
        raise InputError(
            f"{chosen[0].parent if chosen else name}: the masks of {name!r} hold {shown or 'nothing'}; they must hold "
            f"classes 0, 1, 2, ... and {IGNORED_CLASS} for no class, or 0 and 1 (or {IGNORED_CLASS}) for no and yes"
        )
    return MaskColumn(_class_task(name, classes[-1] + 1), files, None)


def _class_task(name: str, num_classes: int, labels: tuple[str, ...] | None = None) -> Task:
    return Task(
        name=task_name(name),
        num_outputs=num_classes,
        loss="cross_entropy",
        metrics=("mean_iou", "accuracy"),
        labels=labels,
        dense=True,
    )


def read_mask(path: Path) -> Pixels:
    """The pixels [H, W] of a mask; InputError if it is in colour."""
    picture = read_picture(path)
    if picture.mode not in _MODES:
        raise InputError(
            f"{path}: is a picture of mode {picture.mode}; a mask has one number per pixel: save classes, not colours"
        )
    pixels: Pixels = np.array(picture).astype(np.int32)
    return pixels


def _require(path: Path, pixels: Pixels, known: npt.NDArray[np.bool_], accepted: str) -> None:
    if not known.all():
        raise InputError(f"{path}: holds {pixels[~known][0]}; its masks hold {accepted}")
