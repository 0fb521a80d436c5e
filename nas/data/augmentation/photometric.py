"""A step that changes the colours of the image and leaves the labels alone."""

import random
from dataclasses import dataclass

from nas.data.augmentation.kinds import Kinds
from nas.data.batch import Sample
from nas.errors import InputError


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
