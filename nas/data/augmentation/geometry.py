"""Steps that move pixels: the image's and every label's alike."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nas.data.augmentation.kinds import Kinds, LabelKind, padding_value
from nas.data.batch import Sample
from nas.errors import InputError

IGNORED_CLASS = 255
"""Of pixels that belong to no class."""

MID_GREY = 0.5
"""Of images in [0, 1]: what 127.5 is in 0 to 255."""


@dataclass(frozen=True)
class RandomScale:
    """Enlarge or shrink by a factor s drawn from some, to [floor(s H), floor(s W)].

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
        return scaled, {
            task: _scaled_label(label, kinds[task], scale, scaled.shape[-2:]) for task, label in labels.items()
        }


@dataclass(frozen=True)
class RandomCrop:
    """Cut out a window of a size at random; an image smaller than that is padded on both sides first.

    Args:
        size: height and width of the result.
        fill: of the image's padding, on its scale at this step.
        ignored_class: of the padding of "classes" and "mask"; -1 where 255 is a class.
    """

    size: tuple[int, int]
    fill: float = MID_GREY
    ignored_class: int = IGNORED_CLASS

    def __post_init__(self) -> None:
        _check_size("RandomCrop", self.size)

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random) -> Sample:
        top, left = (
            rng.randint(0, spare) if (spare := length - wanted) > 0 else _centred(length, wanted)
            for length, wanted in zip(sample[0].shape[-2:], self.size, strict=True)
        )
        return _window(sample, kinds, (top, left), self.size, self.fill, self.ignored_class)


@dataclass(frozen=True)
class CenterCrop:
    """Cut out the middle, or pad to it: what `RandomCrop` does, without chance. Arguments as there."""

    size: tuple[int, int]
    fill: float = MID_GREY
    ignored_class: int = IGNORED_CLASS

    def __post_init__(self) -> None:
        _check_size("CenterCrop", self.size)

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random) -> Sample:
        top, left = (_centred(length, wanted) for length, wanted in zip(sample[0].shape[-2:], self.size, strict=True))
        return _window(sample, kinds, (top, left), self.size, self.fill, self.ignored_class)


@dataclass(frozen=True)
class RandomFlip:
    """Mirror left and right with a probability; the x of normals changes its sign."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InputError(f"RandomFlip: probability must be in [0, 1]; found {self.probability}")

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random) -> Sample:
        if rng.random() >= self.probability:
            return sample
        image, labels = sample
        return image.flip(-1), {task: _flipped_label(label, kinds[task]) for task, label in labels.items()}


def _scaled_label(label: Tensor, kind: LabelKind, scale: float, size: torch.Size) -> Tensor:
    if kind == "none":
        return label
    rows, columns = (
        ((torch.arange(scaled, device=label.device) + 0.5) / scale).long().clamp(max=length - 1)
        for scaled, length in zip(size, label.shape[-2:], strict=True)
    )
    nearest = label.index_select(-1, columns).index_select(-2, rows)
    if kind == "depth":
        return nearest / scale
    return nearest * scale if kind == "inverse_depth" else nearest


def _flipped_label(label: Tensor, kind: LabelKind) -> Tensor:
    if kind == "none":
        return label
    flipped = label.flip(-1)
    if kind == "normals":
        flipped[..., 0, :, :].neg_()
    return flipped


def _window(
    sample: Sample, kinds: Kinds, corner: tuple[int, int], size: tuple[int, int], fill: float, ignored_class: int
) -> Sample:
    image, labels = sample
    return _cut(image, corner, size, fill), {
        task: label
        if (kind := kinds[task]) == "none"
        else _cut(label, corner, size, padding_value(kind, ignored_class))
        for task, label in labels.items()
    }


def _cut(x: Tensor, corner: tuple[int, int], size: tuple[int, int], fill: float) -> Tensor:
    """The window [..., *size] whose upper left pixel is at the corner, which may be outside."""
    cut = x.new_full((*x.shape[:-2], *size), fill)
    (top, left), (height, width) = corner, size
    inside = x[..., max(top, 0) : top + height, max(left, 0) : left + width]
    rows, columns = max(-top, 0), max(-left, 0)
    cut[..., rows : rows + inside.shape[-2], columns : columns + inside.shape[-1]] = inside
    return cut


def _centred(length: int, wanted: int) -> int:
    """Where a window in the middle starts; negative if it is longer than what it is in the middle of."""
    return -((wanted - length) // 2)


def _check_size(step: str, size: tuple[int, int]) -> None:
    if len(size) != 2 or min(size) < 1:
        raise InputError(f"{step}: size must be a height and a width of at least 1; found {size}")
