"""``transfer.json`` of a trial: what was measured, and what the transfer model learned from it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict
from torch import Tensor

Array3 = tuple[tuple[tuple[float, ...], ...], ...]


class TrainedTree(BaseModel):
    """One training of the search: ``results`` in percent (`nas.strategies.transfer.results`) by task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tree: str
    partitions: tuple[tuple[tuple[str, ...], ...], ...]
    num_epochs: int
    seconds: float
    results: dict[str, float]


class TransferRecord(BaseModel):
    """Effects of sharing in percent of a task's loss, [l][t][s]: what it does to task t to share block l with task s.

    ``cost`` is what the search spent, in trainings; ``noise`` is by task, in percent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    tasks: tuple[str, ...]
    blocks: tuple[str, ...]
    effects_LTT: Array3
    errors_LTT: Array3
    noise: dict[str, float]
    cost: float
    full_epochs: int
    trainings: tuple[TrainedTree, ...]


def as_tuples(values_LTT: Tensor) -> Array3:
    """Effects as plain data."""
    return tuple(tuple(tuple(row) for row in of_block) for of_block in values_LTT.tolist())
