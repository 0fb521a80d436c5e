"""``pooled.json`` of a run: the trees that several seeds found together."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from nas.files import read_record
from nas.run.run_folder import RunFolder
from nas.strategies.diagnosis import Diagnosis
from nas.tree import SplitAgreement


class PooledTree(BaseModel):
    """A tree that several seeds found together, and how many of their own trees agree with each of its splits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tree: str
    budget: float | None
    splits: tuple[SplitAgreement, ...]

    def in_words(self) -> list[str]:
        """One line for each split; a doubtful one begins with an exclamation mark."""
        return [f"{'!' if split.doubtful else ' '} {split.in_words('seeds')}" for split in self.splits]


class PooledTrials(BaseModel):
    """Trials that differ only in their seeds, the trees that they found together, and the checks of these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: tuple[int, ...]
    trees: tuple[PooledTree, ...]
    diagnosis: Diagnosis


class PooledRecord(BaseModel):
    """``pooled.json`` of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    groups: tuple[PooledTrials, ...]

    def find(self, tree_id: str) -> tuple[PooledTrials, PooledTree] | None:
        """A pooled tree and the trials that found it."""
        # The tree that a search chose without a budget comes last, and may also be that of a budget.
        found = ((group, tree) for group in self.groups for tree in reversed(group.trees) if tree.tree == tree_id)
        return next(found, None)


def read_pooled(run: RunFolder) -> PooledRecord:
    """The pooled trees of a run; InputError if their file is malformed."""
    path = pooled_file(run)
    return read_record(path, PooledRecord) if path.is_file() else PooledRecord(groups=())


def pooled_file(run: RunFolder) -> Path:
    return run.path / "pooled.json"
