"""The kinds of labels: how each kind changes when the pixels of its image move."""

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from nas.errors import InputError

LabelKind = Literal["classes", "mask", "normals", "depth", "inverse_depth", "values", "points", "none"]
"""The kind of a label. Labels of all kinds but "points" and "none" have pixels; resampling takes the nearest pixel, so
that no new values appear.

classes        a class per pixel; padding is ignored (255)
mask           yes and no per pixel; padding is ignored (255)
normals        directions [3, H, W], x to the right; a flip negates x, a new size leaves them; padding is 0 (invalid)
depth          metres; a zoom divides it, a resize leaves it; padding is 0 (invalid)
inverse_depth  disparity or 1 / metres; a zoom multiplies it, a resize leaves it; padding is 0 (invalid)
values         other numbers, which do not change; padding is NaN (no value)
points         [..., 2]: x to the right and y down, in pixels from the image's upper left corner (the centre of the
               first pixel is (0.5, 0.5)), such as key points or corners of boxes; they move with the pixels, and a
               point that a crop cuts off is NaN (no value)
none           a label of the whole image, which does not change

`RandomScale` is a zoom: with the crop after it, it shows the scene as from a camera that is closer by this factor. So
depth is divided by the factor and normals stay, as in all published multi-task code. `Resize` and `Letterbox` show the
same view in another number of pixels, so depth stays.
"""

Kinds = Mapping[str, LabelKind]
"""The kind of each task's labels."""

_KNOWN: tuple[str, ...] = get_args(LabelKind)
_INVALID = {"normals": 0.0, "depth": 0.0, "inverse_depth": 0.0, "values": float("nan"), "points": float("nan")}


def padding_value(kind: LabelKind, ignored_class: int) -> float:
    """The label of a pixel outside the image."""
    return _INVALID.get(kind, ignored_class)


def check_kinds(kinds: Kinds) -> None:
    """Raise an InputError that names the first task whose kind is not a `LabelKind`."""
    for task, kind in kinds.items():
        if kind not in _KNOWN:
            raise InputError(f"Augmentation: kinds[{task!r}] must be one of {', '.join(_KNOWN)}; found {kind!r}")


def check_label(task: str, label: Tensor, image: Tensor, kinds: Kinds) -> None:
    """Raise an InputError if a label's kind is not given, or the label does not fit its kind."""
    if task not in kinds:
        raise InputError(
            f"Augmentation: kinds names {', '.join(kinds) or 'no task'}, and a sample has a label for {task!r}; "
            f"give its kind ({', '.join(_KNOWN)})"
        )
    kind = kinds[task]
    if kind == "none":
        return
    if kind == "points":
        if label.shape[-1:] != (2,) or not label.is_floating_point():
            raise InputError(
                f"Augmentation: the label of {task} is {label.dtype} of shape {list(label.shape)}, and 'points' needs "
                f"floats [..., 2]: x and y in pixels"
            )
        return
    if label.shape[-2:] != image.shape[-2:] or (kind == "normals" and label.shape[-3:-2] != (3,)):
        expected = "[3, H, W]" if kind == "normals" else "[..., H, W]"
        raise InputError(
            f"Augmentation: the label of {task} has shape {list(label.shape)}, and {kind!r} needs {expected} of an "
            f"image {list(image.shape)}"
        )
    if label.dtype == torch.bool or (kind in _INVALID and not label.is_floating_point()):
        needs = "floats" if kind in _INVALID else "numbers, since booleans have no value left for padding"
        raise InputError(f"Augmentation: the label of {task} is {label.dtype}, and {kind!r} needs {needs}")
