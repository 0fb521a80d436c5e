"""All set partitions, all refinements of one, and all branch trees, each once and lazily: what exact answers are
compared with."""

from collections.abc import Iterator, Sequence

from nas.tree import BranchTree

IndexPartition = tuple[tuple[int, ...], ...]
"""Groups of indices, each ascending, in the order of their first members."""


def set_partitions(n: int) -> Iterator[IndexPartition]:
    """Every partition of 0, ..., n-1 once, from one group to n groups; there are Bell(n) of them."""
    if n == 0:
        yield ()
        return
    for partition in set_partitions(n - 1):
        for i, group in enumerate(partition):
            yield (*partition[:i], (*group, n - 1), *partition[i + 1 :])
        yield (*partition, (n - 1,))


def refinements(partition: IndexPartition) -> Iterator[IndexPartition]:
    """Every partition that refines a partition, once, from itself to all members alone."""
    for groups in _split(partition):
        yield tuple(sorted(groups))


def enumerate_trees(tasks: Sequence[str], num_blocks: int) -> Iterator[BranchTree]:
    """Every branch tree over some tasks and L blocks, once, from fully shared to fully separate."""
    tasks = BranchTree.shared(tasks, num_blocks).tasks
    return (
        BranchTree(tasks, tuple(tuple(tuple(tasks[i] for i in group) for group in partition) for partition in chain))
        for chain in _chains((tuple(range(len(tasks))),), num_blocks)
    )


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
