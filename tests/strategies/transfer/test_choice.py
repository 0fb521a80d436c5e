"""Which trees are chosen: the exact programme maximises the model's gain, and random trees keep the goal."""

import numpy as np
import pytest
import torch
from constrained_trees import keeps
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_sharing import gains_of, planted_problem, planted_table, some_effects, task_names

from nas.discretize import Constraints, discretize
from nas.strategies import Goal
from nas.strategies.transfer.choice import Draws, curve_of_effects, dissimilarity_of, gain_of, spread_trees
from nas.tree import BranchTree, enumerate_trees


@settings(deadline=None, max_examples=25)
@given(num_tasks=st.integers(3, 4), num_blocks=st.integers(2, 3), seed=st.integers(0, 999), share=st.floats(0.5, 1.0))
def test_the_programme_maximises_the_mean_gain(num_tasks, num_blocks, seed, share):
    names = task_names(num_tasks)
    effects_LTT = torch.randn(num_blocks, num_tasks, num_tasks, generator=torch.Generator().manual_seed(seed)).double()
    costs = planted_table(num_tasks, num_blocks)
    limit = share * costs.separate_cost()["macs"]
    every = list(enumerate_trees(names, num_blocks))
    affordable = [tree for tree in every if costs.tree_cost(tree)["macs"] <= limit]
    best = max(gains_of(effects_LTT, affordable).mean(1).tolist())
    curve = discretize(names, dissimilarity_of(effects_LTT), costs, "macs")
    point = curve.within(limit)
    # The programme counts in whole numbers of 2^-33 of the greatest dissimilarity.
    assert -point.value == pytest.approx(best, abs=1e-6)
    assert gain_of(effects_LTT, [point.tree], names) == pytest.approx([best], abs=1e-6)


def test_gains_equal_the_model_of_sharing():
    effects_LTT = some_effects(np.random.default_rng(0), 4, 3)
    trees = list(enumerate_trees(task_names(4), 3))
    assert gain_of(effects_LTT, trees, task_names(4)) == pytest.approx(gains_of(effects_LTT, trees).mean(1).tolist())


@pytest.mark.parametrize(
    "constraints", [{}, {"together": [["t0", "t1"]]}, {"apart": [["t0", "t3"]]}, {"shared_prefix": 1}]
)
def test_spread_trees_differ_and_keep_the_goal(constraints, tmp_path):
    goal = Goal(constraints=Constraints(**constraints))
    problem = planted_problem(4, 3, goal, tmp_path)
    limits = [0.8 * problem.table.separate_cost()["macs"], problem.table.separate_cost()["macs"]]
    found = spread_trees(problem, limits, 6, torch.Generator().manual_seed(0))
    assert len(found) == len(set(found)) == 6
    for tree in found:
        assert keeps(tree, goal.constraints, problem.table)
        assert problem.table.tree_cost(tree)["macs"] <= limits[1]
    assert spread_trees(problem, limits, 6, torch.Generator().manual_seed(0)) == found
    # One tree is all that there is.
    one = planted_problem(1, 2, Goal(), tmp_path)
    assert spread_trees(one, [1e9], 4, torch.Generator()) == [BranchTree.shared(["t0"], 2)]


def test_trees_beyond_the_limit_are_left_out(tmp_path):
    table = planted_problem(4, 3, Goal(), tmp_path).table
    cheapest = table.tree_cost(BranchTree.shared(task_names(4), 3))["macs"]
    curve = curve_of_effects(task_names(4), table, Goal(), -torch.ones(3, 4, 4, dtype=torch.float64), cheapest)
    assert [point.tree.num_groups for point in curve] == [(1, 1, 1)]


def test_draws_take_budgets_in_turn_and_leave_out_what_is_trained():
    a, b, c, d = list(enumerate_trees("xyz", 1))[:4]
    draws = Draws(trees=[[a, b], [c, a], [b, d]], advantages=[0.0, 0.4, 1.0])
    assert draws.not_among([]) == [a, b, c, d]
    assert draws.not_among([a]) == [b, c, d]
    assert draws.not_among([a, b, c, d]) == []
    assert draws.chance_of_more_than(0.5) == pytest.approx(1.0 / 3.0)
    assert draws.chance_of_more_than(0.4) == pytest.approx(1.0 / 3.0)
