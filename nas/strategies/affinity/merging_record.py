"""``merging.json`` of a trial: which groups were merged in which order, from the finest tree on."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeFloat, NonNegativeInt

from nas.errors import InputError
from nas.files import read_record as read_file
from nas.strategies.affinity.merging import Merge
from nas.strategies.store import Store
from nas.tree import BranchTree

_NAME = "merging"

_Groups = tuple[tuple[str, ...], ...]


class MergeStep(BaseModel):
    """A merge and the dissimilarity of its two groups when they were merged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    block: NonNegativeInt
    first: tuple[str, ...]
    second: tuple[str, ...]
    unlike: FiniteFloat

    @property
    def merge(self) -> Merge:
        return Merge(self.block, self.first, self.second)


class MergingRecord(BaseModel):
    """The merges of a search.

    Args:
        start: the partitions of the tree before the first merge.
        cost: in trainings of a tree that costs the largest budget; None if the length of a training is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    tasks: tuple[str, ...]
    blocks: tuple[str, ...]
    start: tuple[_Groups, ...]
    merges: tuple[MergeStep, ...]
    cost: NonNegativeFloat | None = None

    def trees(self) -> list[BranchTree]:
        """The tree before the first merge, and that after each one."""
        trees = [BranchTree(self.tasks, self.start, self.blocks)]
        for step in self.merges:
            trees.append(step.merge.of(trees[-1]))
        return trees

    def values(self) -> list[float]:
        """Minus the dissimilarities of all merges that lead to each of the trees."""
        values = [0.0]
        for step in self.merges:
            values.append(values[-1] - step.unlike)
        return values

    def write(self, store: Store) -> None:
        """Write ``merging.json``."""
        store.write(_NAME, self.model_dump())

    @classmethod
    def read(cls, store: Store, tasks: tuple[str, ...]) -> "MergingRecord":
        """Read ``merging.json``; InputError if it is missing, malformed, or of other tasks."""
        path = store.folder / f"{_NAME}.json"
        record = read_file(path, cls)
        if record.tasks != tasks:
            raise InputError(f"{path}: has the tasks {list(record.tasks)}, not {list(tasks)}")
        return record
