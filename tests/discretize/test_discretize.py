"""The exact programme equals enumeration, keeps budgets, and gives ties to the cheaper tree."""

import math
import time

import numpy as np
import pytest
from all_trees import enumerate_trees
from constrained_trees import random_dissimilarity, table, value_of
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.discretize import discretize
from nas.errors import InputError
from nas.tree import BranchTree, CostTable

# The programme rounds dissimilarities to 2^-30 of the greatest or finer, and adds up at most 100 of them here.
ROUNDING = 1e-7


def names(num_tasks: int) -> tuple[str, ...]:
    return tuple("abcdefghijklmnopqrstuvwxyz"[:num_tasks])


def enumerated(tasks, dissimilarity_LTT, costs: CostTable) -> list[tuple[float, float]]:
    """(cost, value) of every tree."""
    trees = enumerate_trees(tasks, len(costs.blocks))
    return [(costs.tree_cost(tree)["macs"], value_of(tree, tasks, dissimilarity_LTT)) for tree in trees]


@pytest.mark.parametrize(("num_tasks", "num_blocks", "seeds"), [(4, 4, 4), (5, 4, 2)])
def test_equals_enumeration_of_all_trees(num_tasks, num_blocks, seeds):
    tasks = names(num_tasks)
    for seed in range(seeds):
        generator = np.random.default_rng(seed)
        costs = table(generator.uniform(0.1, 3.0, num_blocks).tolist(), tasks, stem=0.3, head=0.11)
        dissimilarity_LTT = random_dissimilarity(num_blocks, num_tasks, seed)
        curve = discretize(tasks, dissimilarity_LTT, costs, "macs")
        every = enumerated(tasks, dissimilarity_LTT, costs)
        assert curve.exact
        cheapest, dearest = min(every)[0], max(every)[0]
        for budget in [cheapest, dearest, *generator.uniform(cheapest, dearest, 20).tolist()]:
            point = curve.within(budget)
            value, cost = min((value, cost) for cost, value in every if cost <= budget)
            assert point.value == pytest.approx(value, abs=ROUNDING)
            assert point.cost <= cost + 1e-12  # the same tree, or one that is as good and cheaper
            assert point.cost == point.tree.cost["macs"] == costs.tree_cost(point.tree)["macs"] <= budget
            assert value_of(point.tree, tasks, dissimilarity_LTT) == pytest.approx(point.value, abs=ROUNDING)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_curve_is_the_whole_front_with_exact_ties(data):
    num_tasks, num_blocks = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    tasks = names(num_tasks)
    costs = table(data.draw(st.lists(st.integers(0, 3), min_size=num_blocks, max_size=num_blocks)), tasks)
    # Small whole numbers make many trees equal; thirds of them are not exact in floating point.
    whole = data.draw(st.lists(st.integers(-2, 2), min_size=num_blocks * 16, max_size=num_blocks * 16))
    raw_LTT = np.array(whole, float).reshape(num_blocks, 4, 4)[:, :num_tasks, :num_tasks]
    dissimilarity_LTT = (raw_LTT + raw_LTT.swapaxes(1, 2)) / 10
    front: list[tuple[float, float]] = []
    for cost, value in sorted((cost, round(value, 9)) for cost, value in enumerated(tasks, dissimilarity_LTT, costs)):
        if not front or value < front[-1][1]:
            front.append((cost, value))
    curve = discretize(tasks, dissimilarity_LTT, costs, "macs")
    assert [point.cost for point in curve] == [cost for cost, _ in front]
    assert [point.value for point in curve] == pytest.approx([value for _, value in front], abs=ROUNDING)


def test_ties_go_to_the_cheaper_tree():
    tasks = names(6)
    curve = discretize(tasks, np.zeros((5, 6, 6)), table([1, 2, 3, 4, 5], tasks), "macs")
    assert len(curve) == 1
    assert curve[0].tree == BranchTree.shared(tasks, 5)
    # A group of k is worth (k - 1) / 2 of 0.3: partitions with as many groups are equal, however they are split, and
    # more groups at one block weigh up fewer at another. Where blocks cost alike, one tree for each number of groups is
    # left; where they do not, it splits the cheap block first.
    alike = discretize(tasks, np.full((2, 6, 6), 0.3), table([1, 1], tasks), "macs")
    assert [sum(point.tree.num_groups) for point in alike] == list(range(2, 13))
    unlike = discretize(tasks, np.full((2, 6, 6), 0.3), table([2, 1], tasks), "macs")
    assert [point.tree.num_groups for point in unlike][:7] == [(1, k) for k in range(1, 7)] + [(2, 6)]


def test_permuting_the_tasks_permutes_the_trees():
    tasks, order = names(6), [3, 5, 0, 2, 4, 1]
    dissimilarity_LTT = random_dissimilarity(5, 6, seed=0)
    costs = table(np.random.default_rng(1).uniform(1, 2, 5).tolist(), tasks, head=0.25)
    curve = discretize(tasks, dissimilarity_LTT, costs, "macs")
    permuted_tasks = tuple(tasks[t] for t in order)
    permuted = discretize(permuted_tasks, dissimilarity_LTT[:, order][:, :, order], costs, "macs")
    assert len(curve) > 10
    assert curve.cost_K.tolist() == permuted.cost_K.tolist()
    assert curve.value_K.tolist() == permuted.value_K.tolist()
    assert all(here.tree == there.tree for here, there in zip(curve, permuted, strict=True))


def test_scaling_the_dissimilarity_changes_no_tree():
    tasks, costs = names(5), table([3, 2, 1], names(5))
    dissimilarity_LTT = random_dissimilarity(3, 5, seed=2)
    curve = discretize(tasks, dissimilarity_LTT, costs, "macs")
    for scale in (1e-9, 1e9):
        scaled = discretize(tasks, scale * dissimilarity_LTT, costs, "macs")
        assert [point.tree for point in scaled] == [point.tree for point in curve]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.integers(2, 5), st.integers(1, 6))
def test_no_tree_exceeds_its_budget(seed, share, num_tasks, num_blocks):
    tasks, generator = names(num_tasks), np.random.default_rng(seed)
    # Milliseconds: sums that depend on the order of adding, beside a stem that is a million times greater.
    costs = table((generator.uniform(size=num_blocks) / 3).tolist(), tasks, stem=1e6 / 3, head=0.1)
    dissimilarity_LTT = random_dissimilarity(num_blocks, num_tasks, seed)
    curve = discretize(tasks, dissimilarity_LTT, costs, "macs")
    for point in curve:
        assert point.cost == costs.tree_cost(point.tree)["macs"]
        assert curve.within(point.cost).tree == point.tree
    smallest, greatest = curve[0].cost, curve[len(curve) - 1].cost
    budget = smallest + share * (greatest - smallest)
    assert costs.tree_cost(curve.within(budget).tree)["macs"] <= budget
    bounded = discretize(tasks, dissimilarity_LTT, costs, "macs", max_cost=budget)
    below = curve.cost_K <= budget
    assert bounded.cost_K.tolist() == curve.cost_K[below].tolist()
    assert bounded.value_K.tolist() == curve.value_K[below].tolist()


def test_eight_tasks_and_eighteen_blocks_take_seconds():
    tasks = names(8)
    costs = table(np.random.default_rng(0).uniform(4e7, 5e8, 18).tolist(), tasks)
    start = time.process_time()
    curve = discretize(tasks, random_dissimilarity(18, 8, seed=0) * 0.5 + 0.2, costs, "macs")
    assert curve.exact
    # The promise is 60 s on one core; it takes 1 to 4.
    assert time.process_time() - start < 60
    costs_K = curve.cost_K
    assert bool((np.diff(costs_K) > 0).all())
    assert bool((np.diff(curve.value_K) < 0).all())


def test_bad_input_is_refused():
    tasks, costs = names(3), table([1, 2], names(3))
    good = random_dissimilarity(2, 3, seed=0)
    with pytest.raises(InputError, match="shape"):
        discretize(tasks, good[:1], costs, "macs")
    with pytest.raises(InputError, match="block 1"):
        discretize(tasks, np.stack([good[0], np.full((3, 3), np.nan)]), costs, "macs")
    with pytest.raises(InputError, match="symmetric"):
        discretize(tasks, good + np.triu(np.ones((3, 3)), 1), costs, "macs")
    with pytest.raises(InputError, match="resource"):
        discretize(tasks, good, costs, "ms")
    with pytest.raises(InputError, match="heads"):
        discretize(("a", "b", "z"), good, costs, "macs")
    for too_small in (18.9, math.nan):
        with pytest.raises(InputError, match="fully shared one costs 19"):
            discretize(tasks, good, costs, "macs", max_cost=too_small)
