"""Data sources whose samples have ids, and how the two splits of published data sets become four."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nas.data.batch import SPLITS, Sample, SplitName, find_split
from nas.data.pixels import PixelScale
from nas.data.seeds import derive_seed
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
    _check_share("architecture", architecture)
    _check_share("validation", validation)
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


def take_share(
    ids: Sequence[str], share: float, *, name: SplitName, seed: int, where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take a random share of the ids for a split, for data sets that publish some of the four splits.

    Args:
        ids: each once.
        share: above 0 and below 1; at least one id is taken, and at least one is left.
        name: the split that they are taken for; with other names other ids are taken.
        seed: the same seed, share and ids in the same order give the same ids.
        where: where the ids come from, for messages.

    Returns:
        the ids that are left, and those taken, both in the order of ``ids``.

    Raises:
        InputError: the share is out of its range, or there are too few ids.
    """
    _check_share(name, share)
    num_taken = max(1, round(share * len(ids)))
    num_left = len(ids) - num_taken
    if num_left < 1:
        raise InputError(f"{where}: {len(ids)} ids are too few to take some of them for the split {name!r}")
    shares = {"left": num_left / len(ids), "taken": num_taken / len(ids)}
    parts = split_indices(len(ids), shares, derive_seed("share", name, seed))
    left, taken = (tuple(ids[i] for i in parts[part]) for part in ("left", "taken"))
    return left, taken


def require_disjoint(splits: Mapping[SplitName, Sequence[str]], where: str) -> None:
    """InputError that names the first id which is in two of the splits; ``where`` says where the ids come from."""
    seen: dict[str, SplitName] = {}
    for name, ids in splits.items():
        for id in ids:
            if id in seen:
                raise InputError(f"{where}: {id!r} is in {seen[id]!r} and in {name!r}; remove it from one of them")
            seen[id] = name


def _check_share(name: str, share: float) -> None:
    if not 0 < share < 1:
        raise InputError(f"{name} is the share of a split, above 0 and below 1; found {share:g}")
