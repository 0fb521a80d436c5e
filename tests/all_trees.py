"""All branch trees over a few tasks, as a reference for what is computed without enumerating them."""

from itertools import product

from nas.tree import BranchTree


def set_partitions(items):
    """Every partition of a tuple into groups, once."""
    if not items:
        yield ()
        return
    *others, last = items
    for partition in set_partitions(tuple(others)):
        for i, group in enumerate(partition):
            yield (*partition[:i], (*group, last), *partition[i + 1 :])
        yield (*partition, (last,))


def refinements(partition):
    """Every partition that refines a partition, once."""
    for parts in product(*(tuple(set_partitions(group)) for group in partition)):
        yield tuple(group for part in parts for group in part)


def enumerate_trees(tasks, num_blocks):
    """Every branch tree over some tasks and L blocks, once."""

    def chains(coarse, length):
        if length == 0:
            yield ()
            return
        for fine in refinements(coarse):
            for finer in chains(fine, length - 1):
                yield (fine, *finer)

    return (BranchTree(tuple(tasks), chain) for chain in chains((tuple(tasks),), num_blocks))
