"""Steps that change the colours of the image and leave the labels alone."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from nas.data.augmentation.kinds import Kinds
from nas.data.batch import Sample
from nas.errors import InputError

_LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601)."""


@dataclass(frozen=True)
class ColorJitter:
    """Change brightness, contrast and saturation, in this order, of an image [3, H, W] in [0, 1].

    Each blends the image with another one x0 as x0 + f (x - x0), f uniform in [1 - strength, 1 + strength], and cuts to
    [0, 1]: with black for brightness, with the image's mean grey for contrast, with its grey picture for saturation.

    Args:
        brightness, contrast, saturation: strengths, 0 (leave as it is) to 1.
    """

    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2

    def __post_init__(self) -> None:
        for name, strength in vars(self).items():
            if not 0 <= strength <= 1:
                raise InputError(f"ColorJitter: {name} must be in [0, 1]; found {strength}")

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random) -> Sample:
        image, labels = sample
        image = _blend(torch.zeros_like(image), image, _factor(self.brightness, rng))
        image = _blend(_grey(image).mean(), image, _factor(self.contrast, rng))
        return _blend(_grey(image), image, _factor(self.saturation, rng)), labels


@dataclass(frozen=True)
class Normalize:
    """(x - mean) / std per channel; the defaults turn images in [0, 1] into images in [-1, 1].

    Args:
        mean, std: one number for each channel.
    """

    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or min(self.std, default=0) <= 0:
            raise InputError(
                f"Normalize: mean and std need one number per channel, and std must be above 0; "
                f"found {self.mean} and {self.std}"
            )

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random) -> Sample:
        image, labels = sample
        if len(image) != len(self.mean):
            raise InputError(f"Normalize: {len(self.mean)} means for an image of {len(image)} channels")
        mean, std = (image.new_tensor(numbers)[:, None, None] for numbers in (self.mean, self.std))
        return (image - mean) / std, labels


def _factor(strength: float, rng: random.Random) -> float:
    return rng.uniform(1 - strength, 1 + strength)


def _grey(image: Tensor) -> Tensor:
    return (image * image.new_tensor(_LUMA)[:, None, None]).sum(0, keepdim=True)


def _blend(other: Tensor, image: Tensor, factor: float) -> Tensor:
    return (other + factor * (image - other)).clamp(0, 1)
