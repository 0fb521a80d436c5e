"""From any tree to one within a budget and the constraints, as like the first as is easy to find."""

import numpy as np

from nas.discretize import discretize, keeps_constraints
from nas.strategies.protocol import Problem
from nas.tree import BranchTree


def fit(tree: BranchTree, problem: Problem, limit: float) -> BranchTree:
    """The tree itself if it keeps the limit and the goal's constraints, or else a similar tree that does.

    NNI rejects samples that break a constraint and draws again. TPE cannot, and within a tight budget there may be one
    tree in a thousand samples. So samples are changed instead of rejected. Without constraints every split moves the
    same number of blocks towards the end, as few as suffice. With constraints the exact programme finds the tree that
    agrees with the sample in most pairs of tasks and blocks, in groups weighted by 1 / size (`nas.discretize`).

    Args:
        limit: an absolute amount, at least the cost of the cheapest tree that the constraints allow.
    """
    names, table, goal = problem.task_names, problem.table, problem.goal

    def is_within(found: BranchTree) -> bool:
        return table.tree_cost(found)[goal.resource] <= limit

    if is_within(tree) and keeps_constraints(tree, goal.constraints, table, goal.resource):
        return tree
    if goal.constraints.empty:
        num_blocks = len(tree.partitions)
        later = (
            BranchTree(names, ((names,),) * more + tree.partitions[: num_blocks - more])
            for more in range(1, num_blocks + 1)
        )
        return next(found for found in later if is_within(found))
    choices_LT = np.array(BranchTree(names, tree.partitions).choices_LT)
    unlike_LTT = np.where(choices_LT[:, :, None] == choices_LT[:, None, :], -1.0, 1.0)
    curve = discretize(names, unlike_LTT, table, goal.resource, max_cost=limit, constraints=goal.constraints)
    return BranchTree(names, curve.within(limit).tree.partitions)
