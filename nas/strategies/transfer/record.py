"""``transfer.json`` of a trial: what was measured, and what the transfer model learned from it."""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt, model_validator

from nas.strategies.transfer.gains import Gain, PairEffects
from nas.tree import BranchTree

_Std = Annotated[FiniteFloat, Field(ge=0)]
_Matrix = tuple[tuple[FiniteFloat, ...], ...]


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
            ``[l][t][s]``: what it does to task t to share block l with task s, in the units of `TransferModel`.
        covariances_TTLL: for each pair ``[t][s]``, the covariance of its effects at two blocks.
        correlation: mean correlation of two tasks' errors.
        noise: standard deviation of a task's result at full length, in percent.
        gains: for each tree on the curve and each trained tree, by id: mean and standard deviation of what each task
            gains over its single-task network, in percent of its loss.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    tasks: tuple[str, ...]
    blocks: tuple[str, ...]
    trainings: tuple[TrainedTree, ...] = Field(min_length=1)
    full_epochs: PositiveInt
    cost: float
    effects_LTT: tuple[_Matrix, ...] = ()
    errors_LTT: tuple[_Matrix, ...] = ()
    covariances_TTLL: tuple[tuple[_Matrix, ...], ...] = ()
    correlation: float = Field(default=0.0, ge=0, lt=1)
    noise: dict[str, float] = {}
    gains: dict[str, dict[str, tuple[FiniteFloat, _Std]]] = {}

    @model_validator(mode="after")
    def _has_effects_of_all_pairs_and_blocks(self) -> "TransferRecord":
        num_tasks, num_blocks = len(self.tasks), len(self.blocks)
        by_block, by_pair = (num_blocks, num_tasks, num_tasks), (num_tasks, num_tasks, num_blocks, num_blocks)
        shapes = {"effects_LTT": by_block, "errors_LTT": by_block, "covariances_TTLL": by_pair}
        for name, shape in shapes.items():
            values = getattr(self, name)
            if values and _shape(values) != shape:
                raise ValueError(f"{name} of {num_tasks} tasks and {num_blocks} blocks has the shape {list(shape)}")
        if odd := [tree for tree, gains in self.gains.items() if set(gains) != set(self.tasks)]:
            raise ValueError(f"gains of tree {odd[0]} are not those of the tasks {', '.join(self.tasks)}")
        return self

    @property
    def pair_effects(self) -> PairEffects | None:
        """What pairs of tasks do to each other; None in a record of an unfinished search."""
        if not self.effects_LTT or not self.covariances_TTLL:
            return None
        effects_LTT, covariance_TTLL = np.array(self.effects_LTT), np.array(self.covariances_TTLL)
        return PairEffects(self.tasks, self.blocks, effects_LTT, covariance_TTLL)

    def gains_of(self, tree: BranchTree) -> dict[str, Gain] | None:
        """What each task of a tree gains over its single-task network; None if the record lacks the tree."""
        found = self.gains.get(tree.id)
        return None if found is None else {task: Gain(*found[task]) for task in self.tasks}


def _shape(values: Sequence[object]) -> tuple[int, ...] | None:
    """The shape of nested tuples; None if their lengths differ."""
    try:
        return np.array(values, dtype=float).shape
    except ValueError:
        return None
