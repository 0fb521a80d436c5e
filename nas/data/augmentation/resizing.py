"""Steps that give pictures of several sizes one size, without chance: a part of the data, for every split alike."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from nas.data.augmentation.augmented import Augmentation, AugmentedSource
from nas.data.augmentation.geometry import Padding, centred_window, check_size, sampled
from nas.data.augmentation.kinds import Kinds, LabelKind
from nas.data.batch import DataSource, Sample
from nas.errors import InputError


@dataclass(frozen=True)
class Resize:
    """Bring an image to a size, stretching it where its sides have another ratio.

    The image is interpolated bilinearly, and averaged where it shrinks (antialiased). Labels per pixel are taken from
    the nearest pixel, so classes, masks, edges and normals keep their values; lines of one pixel get gaps where they
    shrink much. Depth and normals keep their values, as the view is the same (see `LabelKind`). Points move with the
    pixels.

    Args:
        size: height and width of the result.
    """

    size: tuple[int, int]

    def __post_init__(self) -> None:
        check_size("Resize", self.size)

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random | None = None) -> Sample:
        return _resized("Resize", sample, kinds, self.size)


@dataclass(frozen=True)
class Letterbox(Padding):
    """Bring an image to a size, keeping the ratio of its sides: it gets as large as fits, in the middle of padding.

    Resized as by `Resize`, padded as by `CenterCrop`: labels have no value in the padding.
    """

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random | None = None) -> Sample:
        inner = self.inner_size(*_size_of("Letterbox", sample[0]))
        return centred_window(
            _resized("Letterbox", sample, kinds, inner), kinds, self.size, self.fill, self.ignored_class
        )

    def inner_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that an image of a size has within the padding.

        >>> Letterbox((64, 64)).inner_size(30, 60)
        (32, 64)
        """
        scale = min(self.size[0] / height, self.size[1] / width)
        rows, columns = (
            min(wanted, max(1, round(scale * length)))
            for length, wanted in zip((height, width), self.size, strict=True)
        )
        return rows, columns


Resizing = Resize | Letterbox


def require_resizing(step: object) -> None:
    """InputError unless the step is one of `Resizing`, or None."""
    if not isinstance(step, Resizing | None):
        raise InputError(f"resize must be Resize((height, width)) or Letterbox((height, width)); found {step!r}")


def resized(source: DataSource, step: Resizing, kinds: Mapping[str, LabelKind]) -> AugmentedSource:
    """A data source whose pictures all have one size, in every split.

    An `AugmentedSource` around it sees the resized pictures.

    Args:
        step: how they get their size.
        kinds: by task, what its labels are.
    """
    require_resizing(step)
    augmentation = Augmentation((step,), kinds)
    return AugmentedSource(source, augmentation, augmentation)


def _resized(step: str, sample: Sample, kinds: Kinds, size: tuple[int, int]) -> Sample:
    image, labels = sample
    height, width = _size_of(step, image)
    if (height, width) == tuple(size):
        return sample
    scales = size[0] / height, size[1] / width
    return _interpolated(image, size), {
        task: sampled(label, kinds[task], size, scales) for task, label in labels.items()
    }


def _interpolated(image: Tensor, size: tuple[int, int]) -> Tensor:
    # torch (2.13) mixes up the rows of a result that is one pixel wide, but not the columns of one that is one high.
    turned = size[1] == 1
    given, (height, width) = (image.transpose(1, 2).contiguous(), size[::-1]) if turned else (image, size)
    found = functional.interpolate(given[None], (height, width), mode="bilinear", align_corners=False, antialias=True)[
        0
    ]
    return found.transpose(1, 2).contiguous() if turned else found


def _size_of(step: str, image: Tensor) -> tuple[int, int]:
    if image.dim() != 3 or 0 in image.shape or not image.is_floating_point():
        raise InputError(f"{step}: images are floats [C, H, W]; found {image.dtype} of shape {list(image.shape)}")
    return image.shape[1], image.shape[2]
