"""All set partitions, all refinements of one, and all branch trees, each once and lazily."""

from collections.abc import Iterator, Sequence
from math import comb

from nas.errors import InputError
from nas.tree.branch_tree import BranchTree

IndexPartition = tuple[tuple[int, ...], ...]
"""Groups of indices, each ascending, in the order of their first members."""


def set_partitions(n: int) -> Iterator[IndexPartition]:
    """Every partition of 0, ..., n-1 once, from one group to n groups; there are Bell(n) of them.

    >>> list(set_partitions(3))
    [((0, 1, 2),), ((0, 1), (2,)), ((0, 2), (1,)), ((0,), (1, 2)), ((0,), (1,), (2,))]
    """
    if n == 0:
        yield ()
        return
    for partition in set_partitions(n - 1):
        for i, group in enumerate(partition):
            yield (*partition[:i], (*group, n - 1), *partition[i + 1 :])
        yield (*partition, (n - 1,))


def refinements(partition: IndexPartition) -> Iterator[IndexPartition]:
    """Every partition that refines a partition, once, from itself to all members alone.

    >>> list(refinements(((0, 2), (1,))))
    [((0, 2), (1,)), ((0,), (1,), (2,))]
    """
    for groups in _split(partition):
        yield tuple(sorted(groups))


def enumerate_trees(tasks: Sequence[str], num_blocks: int) -> Iterator[BranchTree]:
    """Every branch tree over some tasks and L blocks, once, from fully shared to fully separate.

    They are made one at a time; `count_trees` is their number.

    Raises:
        InputError: no tasks, doubled tasks, or no blocks.

    >>> [tree.partitions for tree in enumerate_trees(["a", "b"], 1)]
    [((('a', 'b'),),), ((('a',), ('b',)),)]
    """
    tasks = BranchTree.shared(tasks, num_blocks).tasks
    return (
        BranchTree(tasks, tuple(tuple(tuple(tasks[i] for i in group) for group in partition) for partition in chain))
        for chain in _chains((tuple(range(len(tasks))),), num_blocks)
    )


def count_trees(num_tasks: int, num_blocks: int) -> int:
    """The exact number of branch trees over T tasks and L blocks.

    A tree over T tasks is a partition at block 0 with a tree over L-1 blocks on each group. With the first task
    in a group of k,

        a_L(T) = sum_{k=1}^{T} binom(T-1, k-1) a_{L-1}(k) a_L(T-k),    a_0 = 1,    a_L(0) = 1;

    a_1 are the Bell numbers, and the exponential generating functions are the iterates of exp(x) - 1 (OEIS
    A144150).

    >>> count_trees(5, 5), count_trees(8, 18)
    (7556, 230661038350)
    """
    if num_tasks < 1 or num_blocks < 1:
        raise InputError(f"a tree has at least one task and one block; found {num_tasks} and {num_blocks}")
    counts = [1] * (num_tasks + 1)
    for _ in range(num_blocks):
        below, counts = counts, [1]
        for n in range(1, num_tasks + 1):
            counts.append(sum(comb(n - 1, k - 1) * below[k] * counts[n - k] for k in range(1, n + 1)))
    return counts[num_tasks]


def _split(partition: IndexPartition) -> Iterator[IndexPartition]:
    # Not itertools.product, which would hold all Bell(n) partitions of every group.
    if not partition:
        yield ()
        return
    first, rest = partition[0], partition[1:]
    for indices in set_partitions(len(first)):
        groups = tuple(tuple(first[i] for i in group) for group in indices)
        for others in _split(rest):
            yield (*groups, *others)


def _chains(coarse: IndexPartition, length: int) -> Iterator[tuple[IndexPartition, ...]]:
    if length == 0:
        yield ()
        return
    for partition in refinements(coarse):
        for finer in _chains(partition, length - 1):
            yield (partition, *finer)
