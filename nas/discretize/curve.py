"""The curve of trees against budgets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nas.discretize.chains import Programme
from nas.discretize.lattice import Floats, Ints
from nas.errors import InputError
from nas.tree import BranchTree, CostTable


@dataclass(frozen=True)
class CurvePoint:
    """One tree of a curve.

    Args:
        cost: of the whole network in the curve's resource.
        value: the sum that discretisation minimises; below zero, sharing is better than none by the noise floor.
        tree: with the table's block names and its cost in every resource.
    """

    cost: float
    value: float
    tree: BranchTree


@dataclass(frozen=True, eq=False)
class Source:
    """Where a curve is from, to look beside it (`nas.discretize.margin`).

    Args:
        programme: the programme that it is a result of.
        partition_KL: indices of the points' partitions in the programme's lattice.
        unit: what a value of 1 in the programme is worth.
    """

    programme: Programme
    partition_KL: Ints
    unit: float


@dataclass(frozen=True, eq=False)
class Curve:
    """The K trees of which none is beaten in both cost and value, from the cheapest to the one of lowest value.

    ``len``, index and iteration give `CurvePoint`; a tree is built when its point is asked for.

    Args:
        exact: whether these are all there are, or what a beam search found.
        source: of a curve that `discretize` gives.
    """

    tasks: tuple[str, ...]
    table: CostTable
    resource: str
    cost_K: Floats
    value_K: Floats
    choices_KLT: Ints
    exact: bool
    source: Source | None = None

    def __len__(self) -> int:
        return len(self.cost_K)

    def __getitem__(self, k: int) -> CurvePoint:
        tree = BranchTree.from_choices(self.tasks, self.choices_KLT[k].tolist()).with_cost(self.table)
        return CurvePoint(float(self.cost_K[k]), float(self.value_K[k]), tree)

    def __iter__(self) -> Iterator[CurvePoint]:
        return (self[k] for k in range(len(self)))

    def within(self, budget: float) -> CurvePoint:
        """The tree of lowest value that costs at most ``budget``, an absolute amount; of equal ones the cheapest.

        Raises:
            InputError: no tree of the curve is that cheap.
        """
        return self[self.index_within(budget)]

    def index_within(self, budget: float) -> int:
        """Which point `within` gives."""
        if not budget >= self.cost_K[0]:
            raise InputError(
                f"no tree costs at most {budget} {self.resource}; the cheapest costs {self.cost_K[0]:.15g}"
            )
        return int(np.searchsorted(self.cost_K, budget, side="right")) - 1

    def elbow(self) -> CurvePoint:
        """The tree for a user who names no budget: the point farthest below the chord between the curve's ends.

        With both axes scaled so that the ends are (0, 1) and (1, 0), that is the greatest 1 - cost - value. Of equal
        ones the cheapest, so a curve of one or two points gives its first, and so does one that lies above its chord.
        """
        if len(self) == 1:
            return self[0]
        cost_K = (self.cost_K - self.cost_K[0]) / (self.cost_K[-1] - self.cost_K[0])
        value_K = (self.value_K - self.value_K[-1]) / (self.value_K[0] - self.value_K[-1])
        # In scaled axes rounding is about 1e-16 and must not decide between points on the chord.
        return self[int(np.argmax(np.round(1.0 - cost_K - value_K, 12)))]
