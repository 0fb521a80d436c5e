"""The features of trees equal a naive loop."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_sharing import task_names
from tree_strategies import trees

from nas.errors import InputError
from nas.strategies.transfer.sharing import sharing_of
from nas.tree import BranchTree

TASKS = task_names(5)


@st.composite
def some_trees(draw):
    """Trees with equally many blocks over some of the tasks each."""
    num_blocks = draw(st.integers(1, 4))
    parts = st.lists(st.sampled_from(TASKS), min_size=1, unique=True)
    return [draw(trees(draw(parts), num_blocks)) for _ in range(draw(st.integers(1, 4)))]


def naive(found, tasks):
    """x[n, t, l, s], word for word."""
    x_NTLT = torch.zeros(len(found), len(tasks), len(found[0].partitions), len(tasks), dtype=torch.float64)
    for n, tree in enumerate(found):
        for l, partition in enumerate(tree.partitions):
            for group in partition:
                for t, task in enumerate(tasks):
                    for s, other in enumerate(tasks):
                        if task in group and other in group and task != other:
                            x_NTLT[n, t, l, s] = 1.0 / len(group)
    return x_NTLT


@settings(deadline=None)
@given(found=some_trees(), tasks=st.permutations(TASKS))
def test_features_equal_a_naive_loop(found, tasks):
    assert torch.equal(sharing_of(found, tasks), naive(found, tasks))


def test_trees_that_do_not_fit_are_refused():
    one, two = BranchTree.shared(TASKS, 1), BranchTree.shared(TASKS, 2)
    with pytest.raises(InputError, match=r"same number of blocks; found \[1, 2\]"):
        sharing_of([one, two], TASKS)
    with pytest.raises(InputError, match=r"tasks \['t4'\], which are not among"):
        sharing_of([one], TASKS[:4])
