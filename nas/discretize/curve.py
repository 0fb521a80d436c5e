"""The curve of trees against budgets."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nas.discretize.bound import lower_bound
from nas.discretize.chains import Programme
from nas.discretize.lattice import Floats, Ints
from nas.errors import InputError
from nas.tree import BranchTree, CostTable


@dataclass(frozen=True)
class CurvePoint:
    """One tree of a curve.

    Args:
        cost: cost of the whole network in the curve's resource.
        value: the sum of dissimilarities that discretisation minimises; a tree without sharing has the value 0.
        tree: with the table's block names and its cost in every resource.
    """

    cost: float
    value: float
    tree: BranchTree


@dataclass(frozen=True, eq=False)
class Source:
    """The problem that a curve solves, so that trees beside the curve can be found (`nas.discretize.margin`).

    Args:
        programme: the problem.
        partition_KL: indices of the points' partitions in the programme's lattice.
        unit: a value of 1 in the programme, in units of the dissimilarity.
        dissimilarity_LTT: what is minimised.
    """

    programme: Programme
    partition_KL: Ints
    unit: float
    dissimilarity_LTT: Floats


@dataclass(frozen=True, eq=False)
class Curve:
    """The K trees that no other beats in both cost and value, from the cheapest to the one of lowest value.

    Indexing and iteration return `CurvePoint`; its tree is built on access.

    Args:
        exact: whether the curve has all such trees; a beam search may miss some.
        source: the problem that the curve solves, if it is from `discretize`.
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
        """The tree of lowest value that costs at most ``budget``, an absolute amount; among equal values the cheapest.

        Raises:
            InputError: no tree of the curve is that cheap.
        """
        return self[self.index_within(budget)]

    def index_within(self, budget: float) -> int:
        """The index of the point that `within` returns."""
        if not budget >= self.cost_K[0]:
            raise InputError(
                f"no tree costs at most {budget} {self.resource}; the cheapest costs {self.cost_K[0]:.15g}"
            )
        return int(np.searchsorted(self.cost_K, budget, side="right")) - 1

    def share_of_possible(self, budget: float) -> float:
        """At least how much of what any tree within a budget gains over the cheapest tree the curve's tree gains.

        By `nas.discretize.bound.lower_bound`, in [0, 1]. It is 1 if the cheapest tree reaches the bound.
        """
        assert self.source is not None, "only a curve from `discretize` has a source"
        cost_L = np.array([block[self.resource] for block in self.table.blocks], np.float64)
        fixed = self.table.total(self.resource, [0] * len(cost_L), self.tasks)
        bound = lower_bound(self.source.dissimilarity_LTT, cost_L, budget - fixed)
        first, found = float(self.value_K[0]), float(self.value_K[self.index_within(budget)])
        return min(1.0, (first - found) / (first - bound)) if bound < first else 1.0

    def elbow(self) -> CurvePoint:
        """A compromise without a budget: the point farthest below the straight line between the curve's ends.

        With both axes scaled so that the ends are (0, 1) and (1, 0), it maximises 1 - cost - value; among equal points
        it is the cheapest. So it is the first point if the curve has one or two points, or is nowhere below the line.
        """
        if len(self) == 1:
            return self[0]
        cost_K = (self.cost_K - self.cost_K[0]) / (self.cost_K[-1] - self.cost_K[0])
        value_K = (self.value_K - self.value_K[-1]) / (self.value_K[0] - self.value_K[-1])
        # Rounding, about 1e-16 on the scaled axes, must not decide between points on the line.
        return self[int(np.argmax(np.round(1.0 - cost_K - value_K, 12)))]
