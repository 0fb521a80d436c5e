"""Steps that give pictures of several sizes one size. They are not random, and belong to all splits of the data."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from nas.data.augmentation.augmented import Augmentation, AugmentedSource
from nas.data.augmentation.geometry import IGNORED_CLASS, MID_GREY, centred_window, check_size, sampled
from nas.data.augmentation.kinds import Kinds, LabelKind
from nas.data.batch import DataSource, Sample
from nas.errors import InputError


@dataclass(frozen=True)
class Resize:
    """Resize an image, stretching it if its sides have another ratio.

    The image is interpolated bilinearly with antialiasing. Each pixel of a label takes the value of the nearest old
    pixel, so values do not change; but lines one pixel wide get gaps when they shrink much. Depth keeps its values
    since the view is the same (see `LabelKind`). Points move with the pixels.

    Args:
        size: height and width of the result.
    """

    size: tuple[int, int]

    def __post_init__(self) -> None:
        check_size("Resize", self.size)

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random | None = None) -> Sample:
        return _resized("Resize", sample, kinds, self.size)


@dataclass(frozen=True)
class Letterbox:
    """Resize an image and keep the ratio of its sides: it becomes as large as fits, and is padded on both sides.

    It resizes as `Resize` does, and pads as `CenterCrop` does: labels have no value in the padding.

    Args:
        size: height and width of the result.
        fill: value of the image's padding, on the scale that the image has at this step.
        ignored_class: label of the padding for "classes" and "mask"; use -1 if 255 is a class.
    """

    size: tuple[int, int]
    fill: float = MID_GREY
    ignored_class: int = IGNORED_CLASS

    def __post_init__(self) -> None:
        check_size("Letterbox", self.size)

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random | None = None) -> Sample:
        inner = self.inner_size(*_size_of("Letterbox", sample[0]))
        return centred_window(
            _resized("Letterbox", sample, kinds, inner), kinds, self.size, self.fill, self.ignored_class
        )

    def inner_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the resized image inside the padding.

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
    """A data source with all pictures resized, in every split. An `AugmentedSource` may be put around it.

    Args:
        step: how pictures are resized.
        kinds: the kind of each task's labels.
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
    # torch 2.13 mixes up the rows of a result one pixel wide; a result one pixel high is right, so transpose.
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
