"""Data sources whose samples have ids, and how the two splits of published data sets become four."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nas.data.batch import SPLITS, Sample, SplitName, find_split
from nas.data.pixels import PixelScale
from nas.data.splits import split_indices
from nas.errors import InputError


@dataclass(frozen=True)
class SamplesById:
    """A map-style data set of the samples with given ids, in their order.

    Args:
        ids: ids of the samples.
        read: returns the sample of an id.
    """

    ids: tuple[str, ...]
    read: Callable[[str], Sample]

    def sample_name(self, index: int) -> str:
        """The sample's id."""
        return self.ids[index]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        return self.read(self.ids[index])


class IdSource(ABC):
    """A data source of pictures [3, H, W] in [0, 1] whose samples have ids.

    Args:
        splits: the ids of each split.
    """

    pixel_scale = PixelScale.unit(3)

    def __init__(self, splits: Mapping[SplitName, tuple[str, ...]]) -> None:
        self._splits = splits

    @abstractmethod
    def sample(self, id: str) -> Sample:
        """The sample of an id; InputError if a file of it is missing, damaged, or has another form."""

    def split(self, name: SplitName) -> SamplesById:
        return SamplesById(find_split(self._splits, name), self.sample)

    def describe_splits(self) -> dict[str, list[str]]:
        """The ids of each split, as plain data for a record."""
        return {name: list(ids) for name, ids in self._splits.items()}


def cut_ids(
    train: Sequence[str], test: Sequence[str], *, architecture: float, validation: float, seed: int, where: str
) -> dict[SplitName, tuple[str, ...]]:
    """Cut the training ids at random into three splits; the test ids become the fourth unchanged.

    First "validation" gets its share of the training ids. "architecture" gets its share of the rest, and "train" what
    then is left. Each split has at least one id.

    Args:
        train, test: ids, each once.
        architecture, validation: shares, above 0 and below 1.
        seed: the same seed, shares and ids in the same order give the same splits.
        where: where the training ids come from, for messages.

    Raises:
        InputError: a share is out of its range, there are too few ids, or an id is in both lists.
    """
    for name, share in (("architecture", architecture), ("validation", validation)):
        if not 0 < share < 1:
            raise InputError(f"{name} is the share of a split, above 0 and below 1; found {share:g}")
    if common := sorted(set(train) & set(test)):
        raise InputError(f"{where}: {len(common)} of its ids are for testing, too, such as {common[0]!r}; remove them")
    num_validation = max(1, round(validation * len(train)))
    num_architecture = max(1, round(architecture * (len(train) - num_validation)))
    num_train = len(train) - num_validation - num_architecture
    if num_train < 1:
        raise InputError(f"{where}: {len(train)} ids are too few to cut into weights, logits and validation")
    counts = {"train": num_train, "architecture": num_architecture, "validation": num_validation}
    parts = split_indices(len(train), {name: count / len(train) for name, count in counts.items()}, seed)
    by_split = {**{name: tuple(train[i] for i in indices) for name, indices in parts.items()}, "test": tuple(test)}
    return {name: by_split[name] for name in SPLITS}
