"""The enumeration that other tests compare with: all trees, each once."""

from itertools import product

import pytest
from all_trees import enumerate_trees, refinements, set_partitions

from nas.tree import BranchTree

TASKS = ("semseg", "depth", "normals", "edge", "parts")


@pytest.mark.parametrize(("num_tasks", "num_blocks"), [(1, 3), (2, 4), (3, 3), (4, 2)])
def test_enumeration_is_all_choices_each_tree_once(num_tasks, num_blocks):
    tasks = TASKS[:num_tasks]
    rows = list(product(range(num_tasks), repeat=num_tasks))
    brute_force = {BranchTree.from_choices(tasks, choices) for choices in product(rows, repeat=num_blocks)}
    found = list(enumerate_trees(tasks, num_blocks))
    assert len(set(found)) == len(found)
    assert set(found) == brute_force


def test_known_counts():
    # Bell numbers (OEIS A000110) for one block; A000258 for two; A000405 for five.
    for num_blocks, counts in ((1, [1, 2, 5, 15, 52]), (2, [1, 3, 12, 60, 358]), (5, [1, 6, 51, 561])):
        for num_tasks, count in enumerate(counts, start=1):
            assert sum(1 for _ in enumerate_trees(TASKS[:num_tasks], num_blocks)) == count


@pytest.mark.parametrize(("n", "num_partitions", "num_pairs"), [(0, 1, 1), (4, 15, 60), (6, 203, 2471)])
def test_numbers_of_partitions_and_refinements(n, num_partitions, num_pairs):
    partitions = list(set_partitions(tuple(range(n))))
    assert len(partitions) == len(set(partitions)) == num_partitions
    assert sum(1 for coarse in partitions for _ in refinements(coarse)) == num_pairs
