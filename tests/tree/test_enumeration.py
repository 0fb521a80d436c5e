from itertools import islice, product

import pytest

from nas.errors import InputError
from nas.tree import BranchTree, count_trees, enumerate_trees, refinements, set_partitions

TASKS = ("semseg", "depth", "normals", "edge", "parts")


@pytest.mark.parametrize(("num_tasks", "num_blocks"), [(1, 3), (2, 4), (3, 3), (4, 2)])
def test_enumeration_is_all_choices_each_tree_once(num_tasks, num_blocks):
    tasks = TASKS[:num_tasks]
    rows = list(product(range(num_tasks), repeat=num_tasks))
    brute_force = {BranchTree.from_choices(tasks, choices) for choices in product(rows, repeat=num_blocks)}
    found = list(enumerate_trees(tasks, num_blocks))
    assert len(set(found)) == len(found)
    assert set(found) == brute_force
    assert found[0] == BranchTree.shared(tasks, num_blocks)
    assert found[-1] == BranchTree.separate(tasks, num_blocks)


@pytest.mark.parametrize(("num_tasks", "num_blocks"), [(1, 1), (2, 9), (3, 3), (3, 7), (4, 4), (5, 2), (5, 3)])
def test_count_equals_enumeration(num_tasks, num_blocks):
    assert count_trees(num_tasks, num_blocks) == sum(1 for _ in enumerate_trees(TASKS[:num_tasks], num_blocks))


def test_known_counts():
    # Bell numbers (OEIS A000110) for one block; A000258 for two; A000405 for five.
    assert [count_trees(n, 1) for n in range(1, 7)] == [1, 2, 5, 15, 52, 203]
    assert [count_trees(n, 2) for n in range(1, 6)] == [1, 3, 12, 60, 358]
    assert [count_trees(n, 5) for n in range(1, 6)] == [1, 6, 51, 561, 7556]


@pytest.mark.parametrize(("n", "num_partitions", "num_pairs"), [(0, 1, 1), (4, 15, 60), (6, 203, 2471)])
def test_numbers_of_partitions_and_refinements(n, num_partitions, num_pairs):
    partitions = list(set_partitions(n))
    assert len(partitions) == len(set(partitions)) == num_partitions
    pairs = [(coarse, fine) for coarse in partitions for fine in refinements(coarse)]
    assert len(pairs) == len(set(pairs)) == num_pairs
    for coarse, fine in pairs:
        assert fine in partitions
        assert all(any(set(group) <= set(parent) for parent in coarse) for group in fine)


def test_partitions_and_trees_come_lazily():
    assert next(refinements((tuple(range(40)),))) == (tuple(range(40)),)
    trees = enumerate_trees([f"attribute{i}" for i in range(40)], 18)
    assert len(set(islice(trees, 5))) == 5


@pytest.mark.parametrize(("tasks", "num_blocks"), [((), 2), (("a", "a"), 2), (("a",), 0)])
def test_no_tasks_or_blocks_is_an_input_error_at_once(tasks, num_blocks):
    with pytest.raises(InputError):
        enumerate_trees(tasks, num_blocks)


@pytest.mark.parametrize(("num_tasks", "num_blocks"), [(0, 2), (2, 0), (-1, 1)])
def test_counting_without_tasks_or_blocks_is_an_input_error(num_tasks, num_blocks):
    with pytest.raises(InputError, match="at least one task and one block"):
        count_trees(num_tasks, num_blocks)
