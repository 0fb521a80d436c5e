"""Merging groups of a tree, from the input upwards: which may merge, which are most alike, what can be reached."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nas.discretize import Constraints, Together, cheapest_tree, keeps_constraints
from nas.errors import InputError
from nas.strategies.goal import Goal
from nas.tree import BranchTree, CostTable

Floats = NDArray[np.float64]
Group = tuple[str, ...]


@dataclass(frozen=True)
class Merge:
    """Two groups of a block that become one."""

    block: int
    first: Group
    second: Group

    def of(self, tree: BranchTree) -> BranchTree:
        """The tree after the merge, with the names of its blocks."""
        groups = [group for group in tree.partitions[self.block] if group not in (self.first, self.second)]
        partitions = list(tree.partitions)
        partitions[self.block] = (*groups, (*self.first, *self.second))
        return BranchTree(tree.tasks, tuple(partitions), tree.blocks)


def finest_tree(tasks: Sequence[str], table: CostTable, constraints: Constraints) -> BranchTree:
    """The tree that shares only what the constraints say must be shared."""
    num_blocks = len(table.blocks)
    tree = BranchTree(tuple(tasks), BranchTree.separate(tasks, num_blocks).partitions, table.block_names)
    groups = [(range(constraints.shared_prefix), tuple(tasks))]
    for together in constraints.together:
        stop = num_blocks if together.through_block is None else together.through_block + 1
        groups.append((range(stop), together.tasks))
    for blocks, members in groups:
        for l in blocks:
            for task in members[1:]:
                one, other = (_group_of(tree, l, name) for name in (members[0], task))
                if one != other:
                    tree = Merge(l, one, other).of(tree)
    return tree


def possible_merges(tree: BranchTree) -> Iterator[Merge]:
    """All pairs of groups of a block that share the block before, so that the result is a tree."""
    for l, partition in enumerate(tree.partitions):
        for one, other in combinations(partition, 2):
            if tree.parent_group(l, one) == tree.parent_group(l, other):
                yield Merge(l, one, other)


def distance(merge: Merge, tasks: Sequence[str], unlike_LTT: Floats) -> float:
    """The mean dissimilarity of a task of one group and a task of the other, at the block."""
    rows, columns = ([list(tasks).index(task) for task in group] for group in (merge.first, merge.second))
    return float(unlike_LTT[merge.block][np.ix_(rows, columns)].mean())


def best_merge(tree: BranchTree, unlike_LTT: Floats, table: CostTable, goal: Goal, limit: float) -> tuple[Merge, float]:
    """The merge of the two most similar groups from which a tree within the limit can still be reached.

    Args:
        unlike_LTT: dissimilarities of the tree's tasks at each block.
        limit: the smallest budget, an absolute amount. A tree within it that keeps the constraints can be reached.

    Returns:
        the merge, and its `distance`. Among equal ones the first block, then the first groups win.
    """
    found = [(distance(merge, tree.tasks, unlike_LTT), i, merge) for i, merge in enumerate(possible_merges(tree))]
    for unlike, _, merge in sorted(found, key=lambda item: item[:2]):
        if can_reach(merge.of(tree), table, goal, limit):
            return merge, unlike
    raise AssertionError("a tree within the limit could be reached")


def can_reach(tree: BranchTree, table: CostTable, goal: Goal, limit: float) -> bool:
    """Whether merges lead from a tree to one within a limit that keeps the goal's constraints."""
    constraints = goal.constraints
    merged = [
        Together(tasks=group, through_block=l)
        for l, partition in enumerate(tree.partitions)
        for group in partition
        if len(group) > 1
    ]
    wanted = constraints.model_copy(update={"together": (*constraints.together, *merged)})
    try:
        cheapest = cheapest_tree(tree.tasks, table, goal.resource, wanted)
    except InputError:
        # The merged groups contradict a constraint that tasks are apart.
        return False
    return bool(table.tree_cost(cheapest)[goal.resource] <= limit)


def tree_within(trees: Sequence[BranchTree], table: CostTable, goal: Goal, limit: float) -> int | None:
    """The index of the first tree within a limit that keeps the goal's constraints; None if there is none."""
    for i, tree in enumerate(trees):
        within = table.tree_cost(tree)[goal.resource] <= limit
        if within and keeps_constraints(tree, goal.constraints, table, goal.resource):
            return i
    return None


def _group_of(tree: BranchTree, l: int, task: str) -> Group:
    return next(group for group in tree.partitions[l] if task in group)
