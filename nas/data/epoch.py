"""Data sets whose samples differ from epoch to epoch."""

from typing import Any

from torch.utils.data import ConcatDataset, Subset

from nas.data.batch import Dataset
from nas.data.seeds import derive_seed


def at_epoch(dataset: Dataset, seed: int, epoch: int) -> Dataset:
    """The data set as it is in an epoch: what its ``at_epoch(seed, epoch)`` gives, or itself if it has none.

    It looks into torch's `Subset` and `ConcatDataset`, whose parts get different seeds. A wrapper of one's own around
    an augmented data set has to have the method too, and to hand it on.
    """
    fixed: Dataset = _at_epoch(dataset, seed, epoch)
    return fixed


def _at_epoch(dataset: Any, seed: int, epoch: int) -> Any:
    # Not typed: torch's wrappers ask for torch's own class by name, and need no more than our protocol.
    if isinstance(dataset, Subset):
        return Subset(_at_epoch(dataset.dataset, seed, epoch), dataset.indices)
    if isinstance(dataset, ConcatDataset):
        parts = enumerate(dataset.datasets)
        return ConcatDataset([_at_epoch(part, derive_seed("part", seed, i), epoch) for i, part in parts])
    return dataset.at_epoch(seed, epoch) if hasattr(dataset, "at_epoch") else dataset
