"""The lower bound against all trees of small problems."""

import numpy as np
import pytest
from constrained_trees import random_dissimilarity, table, value_of
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.discretize import discretize
from nas.discretize.bound import lower_bound
from nas.tree import enumerate_trees

COSTS = (3.0, 1.0, 4.0)


def points(num_tasks, num_blocks, seed):
    """Distances of points on a line, less a noise floor: a problem in which partners agree."""
    place_T = np.random.default_rng(seed).normal(size=num_tasks)
    return np.repeat(np.abs(place_T[:, None] - place_T)[None] - 0.4, num_blocks, axis=0)


@settings(deadline=None, max_examples=30)
@given(
    num_tasks=st.integers(1, 4),
    num_blocks=st.integers(1, 3),
    seed=st.integers(0, 10**6),
    made=st.sampled_from([random_dissimilarity, lambda blocks, tasks, seed: points(tasks, blocks, seed)]),
    share=st.floats(0.0, 1.0),
)
def test_no_tree_goes_below_it(num_tasks, num_blocks, seed, made, share):
    names, costs = [f"t{t}" for t in range(num_tasks)], np.array(COSTS[:num_blocks])
    d_LTT = made(num_blocks, num_tasks, seed)
    most = costs.sum() * (1.0 + share * (num_tasks - 1))
    bound = lower_bound(d_LTT, costs, most)
    values = [
        value_of(tree, names, d_LTT)
        for tree in enumerate_trees(names, num_blocks)
        if costs @ np.array(tree.num_groups) <= most
    ]
    # Prices up to 65,000 are subtracted from sums of the same size, in double precision.
    assert bound <= min(values) + 1e-9
    assert lower_bound(d_LTT, costs, np.inf) <= bound + 1e-9


@pytest.mark.parametrize("num_groups", [1, 2, 3])
def test_it_is_reached_where_tasks_agree_on_their_partners(num_groups):
    """Three pairs of tasks, far from each other."""
    d_TT = np.full((6, 6), 1.0)
    for first in (0, 2, 4):
        d_TT[first, first + 1] = d_TT[first + 1, first] = -1.0
    d_LTT, costs = np.repeat(d_TT[None], 2, axis=0), np.array([2.0, 2.0])
    names = tuple(f"t{t}" for t in range(6))
    costs_table = table(costs.tolist(), names, stem=0, head=0)
    best = discretize(names, d_LTT, costs_table, "macs").within(4.0 * num_groups).value
    bound = lower_bound(d_LTT, costs, 4.0 * num_groups)
    assert bound <= best + 1e-9
    if num_groups == 3:
        assert bound == pytest.approx(best)


def test_a_smaller_budget_has_a_higher_bound():
    d_LTT, costs = random_dissimilarity(3, 12, 0), np.array(COSTS)
    bounds = [lower_bound(d_LTT, costs, 8.0 * groups) for groups in (1.0, 2.0, 4.0, 8.0, np.inf)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] > bounds[-1]
    # With one group for each block, the only tree is the shared one.
    assert bounds[0] <= value_of_shared(d_LTT) + 1e-9


def value_of_shared(d_LTT):
    return sum(d_TT[np.triu_indices(12, 1)].sum() / 12 for d_TT in d_LTT)


def test_a_backbone_that_costs_nothing_has_the_bound_without_a_budget():
    d_LTT = random_dissimilarity(2, 5, 1)
    assert lower_bound(d_LTT, np.zeros(2), 0.0) == lower_bound(d_LTT, np.ones(2), np.inf)
