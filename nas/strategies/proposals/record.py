"""``proposals.json`` of a trial: which trees were trained, what they reached, and what the search cost."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from nas.files import read_record as read_file
from nas.files import write_json_atomically
from nas.strategies.transfer.record import TrainedTree
from nas.tree import BranchTree

FILE = "proposals.json"


class ProposalRecord(BaseModel):
    """What a search measured.

    Args:
        trainings: a longer training counts twice, at its length and at the short one.
        short_epochs, full_epochs: epochs of a short and of a full training.
        cost: what the search spent, in full trainings of a tree that costs the largest budget.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    tasks: tuple[str, ...]
    blocks: tuple[str, ...]
    trainings: tuple[TrainedTree, ...] = Field(min_length=1)
    short_epochs: PositiveInt
    full_epochs: PositiveInt
    cost: float

    @model_validator(mode="after")
    def _has_separate_networks(self) -> "ProposalRecord":
        if not any(self._is_reference(row, self.short_epochs) for row in self.trainings):
            raise ValueError(f"trainings has no separate networks of {self.short_epochs} epochs")
        return self

    def gains(self, num_epochs: int) -> Mapping[BranchTree, float]:
        """By tree, the mean over the tasks of its gain over separate networks trained as long, in percent.

        Trees that were not trained for so many epochs are left out, and so are those with a result that is not finite;
        there are none if separate networks are left out.
        """
        rows = [row for row in self.trainings if row.num_epochs == num_epochs and set(row.results) == set(self.tasks)]
        alone = next((row for row in rows if self._is_reference(row, num_epochs)), None)
        if alone is None:
            return {}
        return {
            BranchTree(self.tasks, row.partitions): sum(row.results[task] - alone.results[task] for task in self.tasks)
            / len(self.tasks)
            for row in rows
        }

    @property
    def reference(self) -> BranchTree:
        """Separate networks."""
        return BranchTree.separate(self.tasks, len(self.blocks))

    def _is_reference(self, row: TrainedTree, num_epochs: int) -> bool:
        return row.num_epochs == num_epochs and row.tree == self.reference


def write_record(folder: Path, record: ProposalRecord) -> None:
    """Write ``proposals.json`` into a trial's folder."""
    write_json_atomically(folder / FILE, record.model_dump())


def read_record(folder: Path) -> ProposalRecord:
    """Read ``proposals.json``; InputError if it is missing or malformed."""
    return read_file(folder / FILE, ProposalRecord)
