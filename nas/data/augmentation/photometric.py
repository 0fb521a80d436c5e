"""A step that changes the colours of the image and leaves the labels alone."""

import random
from dataclasses import dataclass

from nas.data.augmentation.kinds import Kinds
from nas.data.batch import Sample
from nas.data.pixels import PixelScale
from nas.errors import InputError


@dataclass(frozen=True)
class Normalize(PixelScale):
    """(x - mean) / std per channel; the defaults turn images in [0, 1] into images in [-1, 1]."""

    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    def __call__(self, sample: Sample, kinds: Kinds, rng: random.Random) -> Sample:
        image, labels = sample
        if len(image) != len(self.mean):
            raise InputError(f"Normalize: {len(self.mean)} means for an image of {len(image)} channels")
        mean, std = (image.new_tensor(numbers)[:, None, None] for numbers in (self.mean, self.std))
        return (image - mean) / std, labels
