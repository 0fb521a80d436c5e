"""Augmentations, and the data sets and sources that apply them."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nas.data.augmentation.kinds import Kinds, check_kinds, check_label
from nas.data.augmentation.photometric import Normalize
from nas.data.batch import Batch, Dataset, DataSource, Sample, SplitName, collate, read_many, uncollate
from nas.data.epoch import at_epoch
from nas.data.named import sample_name
from nas.data.pixels import PixelScale, find_pixel_scale
from nas.data.seeds import derive_seed

Step = Callable[[Sample, Kinds, random.Random], Sample]
"""Makes a new sample from one, drawing the random numbers that it needs."""

_TRAINED_ON: tuple[SplitName, ...] = ("train", "architecture")


@dataclass(frozen=True)
class Augmentation:
    """A sequence of steps.

    Args:
        steps: applied in this order.
        kinds: the kind of each task's labels.

    Raises:
        InputError: a kind does not exist. When called: a label has no kind or does not fit its kind.
    """

    steps: Sequence[Step]
    kinds: Kinds

    def __post_init__(self) -> None:
        check_kinds(self.kinds)

    def __call__(self, sample: Sample, rng: random.Random) -> Sample:
        image, labels = sample
        for task, label in labels.items():
            check_label(task, label, image, self.kinds)
        for step in self.steps:
            sample = step(sample, self.kinds, rng)
        return sample


@dataclass(frozen=True, eq=False)
class Augmented:
    """A data set with an augmentation applied.

    A sample's random numbers depend only on (seed, epoch, index). `nas.data.batches` sets seed and epoch with
    `at_epoch`; until then both are 0.
    """

    dataset: Dataset
    augmentation: Augmentation
    seed: int = 0
    epoch: int = 0

    def at_epoch(self, seed: int, epoch: int) -> "Augmented":
        """The data set in a given epoch."""
        return Augmented(at_epoch(self.dataset, seed, epoch), self.augmentation, seed, epoch)

    def sample_name(self, index: int) -> str | None:
        """The data set's own name of a sample."""
        return sample_name(self.dataset, index)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        return self._augmented(self.dataset[index], index)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        found = read_many(self.dataset, indices)
        samples = uncollate(found) if isinstance(found, Batch) else found
        return collate([self._augmented(sample, index) for sample, index in zip(samples, indices, strict=True)])

    def _augmented(self, sample: Sample, index: int) -> Sample:
        return self.augmentation(sample, random.Random(derive_seed("augmentation", self.seed, self.epoch, int(index))))


@dataclass(frozen=True, eq=False)
class AugmentedSource:
    """A data source with ``training`` applied to "train" and "architecture", ``evaluation`` to the other splits."""

    source: DataSource
    training: Augmentation
    evaluation: Augmentation

    def describe_splits(self) -> dict[str, list[str]]:
        """The names of the samples in each split; empty if the source has no names."""
        describe = getattr(self.source, "describe_splits", None)
        return {} if describe is None else dict(describe())

    @property
    def tasks(self) -> Any:
        """The tasks that the source states; None if it states none."""
        return getattr(self.source, "tasks", None)

    @property
    def pixel_scale(self) -> PixelScale | None:
        """The source's own scale, followed by the normalisation of ``evaluation``."""
        scale = find_pixel_scale(self.source)
        for step in self.evaluation.steps:
            if scale is not None and isinstance(step, Normalize):
                scale = scale.then(step.mean, step.std)
        return scale

    def split(self, name: SplitName) -> Augmented:
        augmentation = self.training if name in _TRAINED_ON else self.evaluation
        return Augmented(self.source.split(name), augmentation)
