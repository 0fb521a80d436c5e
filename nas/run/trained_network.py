"""The result of a training, as the run folder has it."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from nas.display import Displayed
from nas.files import read_record
from nas.training.measured import Measured


class TrainedNetwork(Displayed, BaseModel):
    """The outcome of one training, as ``result.json`` holds it: metrics at the best epoch by validation loss."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schema_version: Literal[1] = 1
    tree_id: str
    seed: int
    start: str
    num_epochs: int
    best_epoch: int
    test: Measured

    def summary(self) -> str:
        return f"tree {self.tree_id}, {self.start}, seed {self.seed}, best epoch {self.best_epoch} of {self.num_epochs}"

    def records(self) -> list[dict[str, Any]]:
        """A line for each task, with its loss and metrics on the test split."""
        return [{"task": task, **values} for task, values in self.test.items()]

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump()

    @classmethod
    def read(cls, path: Path) -> "TrainedNetwork":
        return read_record(path, cls, "the result of a training")
