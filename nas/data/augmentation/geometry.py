"""Steps that move the pixels of an image and of its labels."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nas.data.augmentation.kinds import Kinds, LabelKind, padding_value
from nas.data.batch import Sample
from nas.errors import InputError

IGNORED_CLASS = 255
"""The class of pixels that belong to no class."""

MID_GREY = 0.5
"""The grey of padding in images in [0, 1]; 127.5 in 0 to 255."""


@dataclass(frozen=True)
class RandomScale:
    """Enlarge or shrink by a random factor s out of ``scales``, to [floor(s H), floor(s W)].

    The image is interpolated bilinearly, labels are taken from the nearest pixel; both put the centre of pixel i of the
    result at (i + 1/2) / s - 1/2. Factors below 1/2 skip pixels of the image.

    Differs from the published code, whose labels (OpenCV's nearest) are shifted against the image, by half a pixel at
    scale 1/2.
    """

    scales: tuple[float, ...] = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)

    def __post_init__(self) -> None:
        if not self.scales or min(self.scales) <= 0:
            raise InputError(f"RandomScale: scales must be positive, and at least one; found {self.scales}")

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random) -> Sample:
        image, labels = sample
        scale = rng.choice(self.scales)
        if scale == 1:
            return sample
        scaled = functional.interpolate(image[None], scale_factor=scale, mode="bilinear", align_corners=False)[0]
        height, width = scaled.shape[-2:]
        return scaled, {
            task: _zoomed(sampled(label, kinds[task], (height, width), (scale, scale)), kinds[task], scale)
            for task, label in labels.items()
        }


@dataclass(frozen=True)
class RandomCrop:
    """Cut out a window at a random position; a smaller image is padded on both sides first.

    Args:
        size: height and width of the result.
        fill: value of the image's padding, on the scale that the image has at this step.
        ignored_class: label of the padding for "classes" and "mask"; use -1 if 255 is a class.
    """

    size: tuple[int, int]
    fill: float = MID_GREY
    ignored_class: int = IGNORED_CLASS

    def __post_init__(self) -> None:
        check_size("RandomCrop", self.size)

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random) -> Sample:
        top, left = (
            rng.randint(0, spare) if (spare := length - wanted) > 0 else _centred(length, wanted)
            for length, wanted in zip(sample[0].shape[-2:], self.size, strict=True)
        )
        return window(sample, kinds, (top, left), self.size, self.fill, self.ignored_class)


@dataclass(frozen=True)
class CenterCrop:
    """Cut out the middle, and pad a smaller image: `RandomCrop` with a fixed position. The arguments are the same."""

    size: tuple[int, int]
    fill: float = MID_GREY
    ignored_class: int = IGNORED_CLASS

    def __post_init__(self) -> None:
        check_size("CenterCrop", self.size)

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random) -> Sample:
        return centred_window(sample, kinds, self.size, self.fill, self.ignored_class)


@dataclass(frozen=True)
class RandomFlip:
    """Swap left and right with a given probability; the x of normals changes its sign.

    Points keep their order: after a flip, the point "left eye" is where a right eye appears to be.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InputError(f"RandomFlip: probability must be in [0, 1]; found {self.probability}")

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random) -> Sample:
        if rng.random() >= self.probability:
            return sample
        image, labels = sample
        width = image.shape[-1]
        return image.flip(-1), {task: _flipped(label, kinds[task], width) for task, label in labels.items()}


def sampled(label: Tensor, kind: LabelKind, size: tuple[int, int], scales: tuple[float, float]) -> Tensor:
    """The label for an image of a new height and width, which are ``scales`` times the old ones.

    Every pixel takes the value of the nearest old pixel; points are moved. No other value changes.
    """
    if kind == "none":
        return label
    if kind == "points":
        return label * label.new_tensor((scales[1], scales[0]))
    rows, columns = (
        ((torch.arange(new, device=label.device) + 0.5) / scale).long().clamp(max=old - 1)
        for new, old, scale in zip(size, label.shape[-2:], scales, strict=True)
    )
    return label.index_select(-1, columns).index_select(-2, rows)


def _zoomed(label: Tensor, kind: LabelKind, scale: float) -> Tensor:
    if kind == "depth":
        return label / scale
    return label * scale if kind == "inverse_depth" else label


def _flipped(label: Tensor, kind: LabelKind, width: int) -> Tensor:
    if kind == "none":
        return label
    if kind == "points":
        return torch.stack([width - label[..., 0], label[..., 1]], dim=-1)
    flipped = label.flip(-1)
    if kind == "normals":
        flipped[..., 0, :, :].neg_()
    return flipped


def window(
    sample: Sample, kinds: Kinds, corner: tuple[int, int], size: tuple[int, int], fill: float, ignored_class: int
) -> Sample:
    """The part of a sample with its upper left pixel at (row, column) ``corner``, padded where it is outside the image.

    Args:
        size: height and width of the part.
        fill: value of the image's padding.
        ignored_class: label of the padding for "classes" and "mask".
    """
    image, labels = sample

    def part_of(label: Tensor, kind: LabelKind) -> Tensor:
        if kind == "none":
            return label
        if kind == "points":
            return _moved(label, corner, size)
        return _cut(label, corner, size, padding_value(kind, ignored_class))

    return _cut(image, corner, size, fill), {task: part_of(label, kinds[task]) for task, label in labels.items()}


def centred_window(sample: Sample, kinds: Kinds, size: tuple[int, int], fill: float, ignored_class: int) -> Sample:
    """The `window` in the middle."""
    top, left = (_centred(length, wanted) for length, wanted in zip(sample[0].shape[-2:], size, strict=True))
    return window(sample, kinds, (top, left), size, fill, ignored_class)


def _cut(x: Tensor, corner: tuple[int, int], size: tuple[int, int], fill: float) -> Tensor:
    """The window [..., *size] whose upper left pixel is at the corner, which may be outside."""
    cut = x.new_full((*x.shape[:-2], *size), fill)
    (top, left), (height, width) = corner, size
    inside = x[..., max(top, 0) : top + height, max(left, 0) : left + width]
    rows, columns = max(-top, 0), max(-left, 0)
    cut[..., rows : rows + inside.shape[-2], columns : columns + inside.shape[-1]] = inside
    return cut


def _moved(points: Tensor, corner: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Points in the coordinates of a window; NaN for points outside of it."""
    moved = points - points.new_tensor((corner[1], corner[0]))
    beyond = torch.maximum(-moved, moved - moved.new_tensor((size[1], size[0])))
    # Rounding may put the corner of a box on the image's border to either side of the border.
    inside = (beyond <= 1e-3).all(-1, keepdim=True)
    return torch.where(inside, moved, torch.nan)


def _centred(length: int, wanted: int) -> int:
    """Where a centred window of length ``wanted`` starts; negative if it is longer than ``length``."""
    return -((wanted - length) // 2)


def check_size(step: str, size: tuple[int, int]) -> None:
    """InputError unless the size is a height and a width."""
    if not isinstance(size, tuple | list) or len(size) != 2 or any(type(n) is not int or n < 1 for n in size):
        raise InputError(f"{step}: size must be a height and a width of at least 1; found {size}")
