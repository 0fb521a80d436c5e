"""Data sets whose samples differ from epoch to epoch."""

import copy
from typing import Any

from torch.utils.data import ConcatDataset, Subset

from nas.data.batch import Dataset
from nas.data.seeds import derive_seed


def at_epoch(dataset: Dataset, seed: int, epoch: int) -> Dataset:
    """The data set in a given epoch: the result of its ``at_epoch(seed, epoch)``, or itself if it has no such method.

    Data sets inside torch's `Subset` and `ConcatDataset` are found; the parts of the latter get different seeds. Your
    own wrapper of an augmented data set must have the method, too, and pass it on.
    """
    fixed: Dataset = _at_epoch(dataset, seed, epoch)
    return fixed


def _at_epoch(dataset: Any, seed: int, epoch: int) -> Any:
    # Not typed: torch's annotations name its own class, but our protocol is enough.
    if isinstance(dataset, Subset):
        return Subset(_at_epoch(dataset.dataset, seed, epoch), dataset.indices)
    if isinstance(dataset, ConcatDataset):
        fixed = copy.copy(dataset)
        parts = enumerate(dataset.datasets)
        fixed.datasets = [_at_epoch(part, derive_seed("part", seed, i), epoch) for i, part in parts]
        return fixed
    return dataset.at_epoch(seed, epoch) if hasattr(dataset, "at_epoch") else dataset
