"""The turn of a budget: trees go in, gains come out, until its share of the trainings is spent."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.strategies.proposals.measurements import Measurements
from nas.strategies.protocol import Problem
from nas.tree import BranchTree, count_trees

PATIENCE = 100
"""So many calls in a row with nothing but known trees end a turn: those that remain are hard to find."""


@dataclass
class Turn:
    """What a strategy of proposals gets for one budget.

    Args:
        limit: the budget as an absolute amount.
        most: what may be spent in all until the end of the turn, in trainings.
        seed: seed of all random numbers of the turn.
    """

    measurements: Measurements
    limit: float
    most: float
    seed: int

    def __post_init__(self) -> None:
        self._spent, self._without_new = False, 0

    @property
    def problem(self) -> Problem:
        return self.measurements.problem

    @property
    def batch(self) -> int:
        """Number of trees to propose at a time."""
        return self.measurements.settings.batch

    @property
    def known(self) -> set[BranchTree]:
        """The trees that were trained, in this turn or before."""
        return self.measurements.trees

    @property
    def is_open(self) -> bool:
        """Whether another tree can be trained."""
        every = count_trees(len(self.problem.tasks), len(self.problem.table.blocks))
        return not self._spent and self._without_new < PATIENCE and len(self.known) < every

    def measure(self, trees: Sequence[BranchTree]) -> list[float | None]:
        """The gains of trees in percent, in their order; the known ones cost nothing.

        None stands for a tree that could not be afforded, which ends the turn, or whose losses are not finite.
        """
        before = self.known
        new = [tree for tree in dict.fromkeys(trees) if tree not in before]
        self._without_new = 0 if new else self._without_new + 1
        if not self.measurements.train(new, self.measurements.spending.short, self.most):
            self._spent = True
        gains = self.measurements.gains
        return [gains.get(tree) for tree in trees]
