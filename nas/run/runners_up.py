"""The second-best trees within a tree's budgets, and how they differ from it."""

from collections.abc import Iterable
from dataclasses import dataclass

from nas.strategies.confidence import confidence, grade
from nas.strategies.diagnosis import MarginRecord
from nas.tree import BranchTree, describe_difference

_MOST_DIFFERENCES = 3
"""A sentence lists at most so many differences of two trees; `RunnerUp.differences` has all."""


@dataclass(frozen=True)
class RunnerUp:
    """The second-best tree within a budget: how it differs from the tree, and by how much it is worse.

    Args:
        budgets: the budgets within which it is second-best; None stands for the cost that the search chose.
        gap: value of the second-best tree minus value of the tree, in units of the dissimilarity.
        noise: standard deviation of the gap; None if unknown.
        differences: sentences about "the first tree", which is the explained one, and "the second" (tree).
    """

    budgets: tuple[float | None, ...]
    gap: float
    noise: float | None
    differences: tuple[str, ...]

    @property
    def sentence(self) -> str:
        places = ["the cost that the search chose" if b is None else f"budget {b:g}" for b in self.budgets]
        if self.gap == 0:
            size = "is as good"
        elif self.noise is None:
            size = f"is {self.gap:.2g} behind"
        else:
            sure = grade(confidence(self.gap, self.noise))
            size = f"is {self.gap:.2g} behind, with a noise of {self.noise:.2g} ({sure})"
        more = len(self.differences) - _MOST_DIFFERENCES
        first = "; ".join(self.differences[:_MOST_DIFFERENCES]) + (f"; and {more} more differences" if more > 0 else "")
        return f"within {' and '.join(places)} the second-best tree {size}: {first} (the first is this tree)"


def runners_up(tree: BranchTree, margins: Iterable[MarginRecord]) -> tuple[RunnerUp, ...]:
    """The second-best trees of one tree's budgets; a tree that is second-best several times is listed once."""
    alike: dict[MarginRecord, list[float | None]] = {}
    for record in margins:
        if record.tree == tree.id:
            alike.setdefault(record.model_copy(update={"budget": None}), []).append(record.budget)
    runners_up = []
    for record, budgets in alike.items():
        differences = describe_difference(tree, BranchTree(tree.tasks, record.runner_up, tree.blocks))
        runners_up.append(RunnerUp(tuple(budgets), record.gap, record.noise, tuple(differences)))
    return tuple(runners_up)
