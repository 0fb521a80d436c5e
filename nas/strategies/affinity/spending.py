"""What a search costs, in full trainings of a tree that costs the largest budget, as a measured search counts."""

from collections.abc import Iterable

from nas.strategies.protocol import Problem
from nas.strategies.transfer.spending import limits_of
from nas.tree import BranchTree


def cost_in_trainings(problem: Problem, trained: Iterable[tuple[BranchTree, float]]) -> float | None:
    """The cost of some epochs of some trees' trainings, each in proportion to the tree's cost.

    Args:
        trained: pairs (tree, epochs). A tree may have only some of the tasks.

    Returns:
        None if the problem has no evaluator, which knows the length of a full training.
    """
    if problem.evaluator is None:
        return None
    resource = problem.goal.resource
    amount = sum(problem.table.tree_cost(tree)[resource] * epochs for tree, epochs in trained)
    largest = max(limit for _, limit in limits_of(problem.task_names, problem.table, problem.goal))
    return float(amount / largest / problem.evaluator.num_epochs)
