"""Choices of parents and the trees that they describe (Guo et al., Learning to Branch, ICML 2020).

Block l has a number of nodes. Every node of a later block, and every task, reads one node of the block before it: its
parent. The readers of block l are the nodes of block l + 1, and those of the last block are the tasks. Choices are L
rows; row l has, for every reader of block l, the number of the node that it reads.

>>> tree = tree_from_parents(["a", "b", "c"], [[0, 0], [1, 0, 1]])
>>> tree.partitions[1]
(('a', 'c'), ('b',))
>>> tree_from_parents(tree.tasks, parents_of(tree, [1, 2])) == tree
True
"""

from collections.abc import Sequence

from nas.errors import InputError
from nas.tree.branch_tree import BranchTree

Parents = Sequence[Sequence[int]]
"""For every block and reader of it, the node that it reads."""


def ancestors(parents: Parents) -> list[list[int]]:
    """The node of every block that each task descends from, [L, T]."""
    rows = [list(parents[-1])]
    for row in reversed(parents[:-1]):
        rows.append([row[node] for node in rows[-1]])
    return rows[::-1]


def tree_from_parents(tasks: Sequence[str], parents: Parents, blocks: Sequence[str] | None = None) -> BranchTree:
    """The tree in which tasks with the same ancestor at a block share it. Nodes without descendants do not count.

    Args:
        tasks: T task names.
        parents: L rows; the last has T numbers, and each other one as many as the next block has nodes.
        blocks: L names.

    Raises:
        InputError: there is no row, the last row is not of T tasks, or a reader reads a node that does not exist.
    """
    if not parents or len(parents[-1]) != len(tasks):
        found = f"{len(parents[-1])} choices" if parents else "no rows"
        raise InputError(f"the last row of the parents has a node for each of the {len(tasks)} tasks; found {found}")
    for l, row in enumerate(parents):
        # Nothing else says how many nodes the first block has.
        num_nodes = len(parents[l - 1]) if l > 0 else max(row, default=0) + 1
        if wrong := [node for node in row if not 0 <= node < num_nodes]:
            raise InputError(f"block {l} has the nodes 0 to {num_nodes - 1}; a reader of it reads node {wrong[0]}")
    return BranchTree.from_choices(tasks, ancestors(parents), blocks)


def parents_of(tree: BranchTree, nodes: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Choices of parents that describe a tree; group g of a block is its node g, and nodes without a group read node 0.

    Args:
        nodes: the number of nodes of each block.

    Raises:
        InputError: there are not L numbers, or a block has more groups than nodes.
    """
    if len(nodes) != len(tree.blocks):
        raise InputError(f"the tree has {len(tree.blocks)} blocks; found numbers of nodes for {len(nodes)}")
    for name, found, most in zip(tree.blocks, tree.num_groups, nodes, strict=True):
        if found > most:
            raise InputError(f"{name} of tree {tree.id} has {found} groups; the space has {most} nodes there")
    choices_LT, rows = tree.choices_LT, []
    for l, num_readers in enumerate(nodes[1:]):
        row = [0] * num_readers
        for group, parent in zip(choices_LT[l + 1], choices_LT[l], strict=True):
            row[group] = parent
        rows.append(tuple(row))
    return (*rows, choices_LT[-1])
