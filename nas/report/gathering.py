"""Trees of many tasks in a compact form: tasks that share every block are one lane."""

from collections.abc import Mapping
from typing import NamedTuple

from nas.tree import BranchTree, CostTable, Partition

MOST_LANES = 16
"""A tree of more tasks is drawn in the compact form."""


class Gathered(NamedTuple):
    """A tree whose tasks are the first ones of groups; a head costs what those of its group cost together."""

    tree: BranchTree
    table: CostTable | None
    members: Mapping[str, tuple[str, ...]]


def gathered(tree: BranchTree, table: CostTable | None, groups: Partition | None = None) -> Gathered:
    """The compact form of a tree of more than `MOST_LANES` tasks; a smaller tree stays as it is.

    Args:
        groups: tasks that share every block; by default all that do.
    """
    if len(tree.tasks) <= MOST_LANES:
        return Gathered(tree, table, {task: (task,) for task in tree.tasks})
    members = {group[0]: group for group in groups or tree.partitions[-1]}
    partitions = [[[task for task in group if task in members] for group in one] for one in tree.partitions]
    small = BranchTree(
        tuple(task for task in tree.tasks if task in members),
        tuple(tuple(tuple(group) for group in partition) for partition in partitions),
        tree.blocks,
    )
    if table is None:
        return Gathered(small, None, members)
    heads = {
        first: {resource: sum(table.heads[task][resource] for task in group) for resource in table.resources}
        for first, group in members.items()
    }
    return Gathered(small, CostTable(table.stem, table.blocks, heads, table.block_names), members)
