"""``transfer.json`` of a trial: what was measured, and what the transfer model learned from it."""

import math
from collections.abc import Sequence
from typing import Literal

from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from torch import Tensor

from nas.strategies.evaluator import Evaluation
from nas.strategies.transfer.model import TransferModel
from nas.strategies.transfer.results import results_of
from nas.tree import BranchTree

Array3 = tuple[tuple[tuple[float, ...], ...], ...]


class TrainedTree(BaseModel):
    """The first epochs of one training: what each task reached, in percent (`nas.strategies.transfer.results`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    partitions: tuple[tuple[tuple[str, ...], ...], ...]
    num_epochs: PositiveInt
    results: dict[str, float]

    @property
    def tree(self) -> BranchTree:
        return BranchTree(tuple(task for group in self.partitions[0] for task in group), self.partitions)


class TransferRecord(BaseModel):
    """What a measured search measured and learned.

    Args:
        trainings: a longer training counts twice, at its length and at the short one.
        full_epochs: epochs of a full training.
        cost: what the search spent, in full trainings of a tree that costs the largest budget.
        effects_LTT, errors_LTT: mean and standard deviation of the effects of sharing in percent of a task's loss,
            [l][t][s]: what it does to task t to share block l with task s.
        noise: standard deviation of a task's result at full length, in percent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    tasks: tuple[str, ...]
    blocks: tuple[str, ...]
    trainings: tuple[TrainedTree, ...] = Field(min_length=1)
    full_epochs: PositiveInt
    cost: float
    effects_LTT: Array3 = ()
    errors_LTT: Array3 = ()
    noise: dict[str, float] = {}

    def model(self, advice: ArrayLike | None) -> TransferModel:
        """The posterior by these trainings.

        Args:
            advice: the dissimilarities of the tasks, [L, T, T], if they are known.
        """
        return TransferModel.fit(
            [row.tree for row in self.trainings],
            [[row.results.get(task, math.nan) for task in self.tasks] for row in self.trainings],
            tasks=self.tasks,
            lengths_N=[row.num_epochs / self.full_epochs for row in self.trainings],
            prior=advice,
        )


def trained_trees(evaluations: Sequence[Evaluation], tasks: Sequence[str]) -> tuple[TrainedTree, ...]:
    """Evaluations as the record has them."""
    results = results_of(evaluations, tasks).tolist()
    return tuple(
        TrainedTree(
            partitions=row.tree.partitions,
            num_epochs=len(row.validation),
            results={name: value for name, value in zip(tasks, values, strict=True) if math.isfinite(value)},
        )
        for row, values in zip(evaluations, results, strict=True)
    )


def as_tuples(values_LTT: Tensor) -> Array3:
    """Effects as plain data."""
    return tuple(tuple(tuple(row) for row in of_block) for of_block in values_LTT.tolist())
