"""Margins: the second-best tree equals that of enumeration, and its noise that of drawn errors."""

import itertools

import numpy as np
import pytest
from all_trees import enumerate_trees
from constrained_trees import constrained, keeps, random_dissimilarity, table, value_of
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.discretize import Constraints, discretize, margin
from nas.errors import InputError
from nas.tree import BranchTree

# As in test_discretize: the programme rounds dissimilarities to 2^-30 of the greatest.
ROUNDING = 1e-6


@settings(max_examples=100, deadline=None)
@given(constrained(), st.integers(0, 10**6), st.floats(0, 1))
def test_the_runner_up_is_the_best_of_all_other_trees(problem, seed, share):
    tasks, costs, constraints = problem
    dissimilarity_LTT = random_dissimilarity(len(costs.blocks), len(tasks), seed)
    try:
        curve = discretize(tasks, dissimilarity_LTT, costs, "macs", constraints=constraints)
    except InputError:
        return
    greatest = costs.tree_cost(BranchTree.separate(tasks, len(costs.blocks)))["macs"]
    budget = curve.cost_K[0] + share * (greatest - curve.cost_K[0])
    best, found = curve.within(budget), margin(curve, budget)
    others = [
        (value_of(tree, tasks, dissimilarity_LTT), tree)
        for tree in enumerate_trees(tasks, len(costs.blocks))
        if tree != best.tree and keeps(tree, constraints, costs) and costs.tree_cost(tree)["macs"] <= budget
    ]
    if not others:
        assert found is None
        return
    assert found.tree == best.tree
    assert found.runner_up in [tree for _, tree in others]
    assert found.runner_up.cost["macs"] <= budget
    value = min(value for value, _ in others)
    assert value_of(found.runner_up, tasks, dissimilarity_LTT) == pytest.approx(value, abs=ROUNDING)
    assert found.gap == pytest.approx(value - best.value, abs=ROUNDING)
    assert found.gap >= 0
    pairs = zip(best.tree.partitions, found.runner_up.partitions, strict=True)
    assert found.block == next(l for l, (a, b) in enumerate(pairs) if a != b)


def test_the_decision_is_told_in_words():
    # a and b attract at both blocks, c repels them; the doubtful decision is whether d is with c at the second.
    d_LTT = np.zeros((2, 4, 4))
    for (s, t), (first, second) in {
        (0, 1): (-1, -1),
        (0, 2): (2, 2),
        (1, 2): (2, 2),
        (0, 3): (2, 2),
        (1, 3): (2, 2),
        (2, 3): (-1, -0.1),
    }.items():
        d_LTT[:, s, t] = d_LTT[:, t, s] = first, second
    tasks = tuple("abcd")
    curve = discretize(tasks, d_LTT, table([3, 2], tasks), "macs")
    found = margin(curve, curve.cost_K[-1] + 10)
    assert found.gap == pytest.approx(0.05)
    assert found.block == 1
    assert found.decision() == "c and d share every block in the first tree, part at b1 in the second"


def test_a_tie_has_no_margin():
    tasks = tuple("abc")
    curve = discretize(tasks, np.zeros((2, 3, 3)), table([3, 2], tasks), "macs")
    found = margin(curve, 100)
    assert found.tree == BranchTree.shared(tasks, 2)
    assert found.gap == 0


def test_the_gap_beyond_the_exact_tasks_is_that_of_the_pool():
    tasks, costs = tuple("abcdefghij"), table([3, 2, 1], tuple("abcdefghij"))
    cluster_T = np.arange(10) // 5
    d_LTT = np.where(cluster_T[:, None] == cluster_T, -1.0, 1.0) * np.ones((3, 1, 1))
    # All pairs are as sure, but for one task that hardly belongs to its cluster at the last block.
    d_LTT[2, :5, 4] = d_LTT[2, 4, :5] = -0.5
    curve = discretize(tasks, d_LTT, costs, "macs", constraints=Constraints(apart=[["a", "j"]]))
    found = margin(curve, 1000)
    assert not curve.exact
    # A group of five is worth (6 + 4 * 0.5) / 5, four of them 6 / 4; nothing else is as close.
    assert found.gap == pytest.approx(8 / 5 - 6 / 4, abs=ROUNDING)
    assert (("e",) in found.runner_up.partitions[2], found.block) == (True, 2)


def test_noise_is_the_spread_of_the_gap_under_independent_errors():
    tasks, generator = tuple("abcd"), np.random.default_rng(0)
    costs, d_LTT = table([3, 2, 1], tasks), random_dissimilarity(3, 4, seed=5)
    curve = discretize(tasks, d_LTT, costs, "macs")
    found = margin(curve, 1e9)
    error_LTT = np.array([0.1, 0.2, 0.3])[:, None, None] * np.ones((3, 4, 4))
    gaps = []
    for _ in range(4000):
        raw_LTT = np.triu(generator.normal(size=(3, 4, 4)), 1) * error_LTT
        noisy_LTT = d_LTT + raw_LTT + raw_LTT.swapaxes(1, 2)
        gaps.append(value_of(found.runner_up, tasks, noisy_LTT) - value_of(found.tree, tasks, noisy_LTT))
    # The standard error of a standard deviation from 4,000 draws is 1.1 %.
    assert found.noise(error_LTT) == pytest.approx(np.std(gaps), rel=0.05)
    assert np.mean(gaps) == pytest.approx(found.gap, abs=4 * np.std(gaps) / 4000**0.5)
    assert found.noise(0.2) == pytest.approx(2 * found.noise(0.1))


def test_permuting_the_tasks_permutes_the_margin():
    tasks, order = tuple("abcde"), [3, 0, 4, 2, 1]
    costs, d_LTT = table([3, 2, 1], tasks), random_dissimilarity(3, 5, seed=8)
    permuted = tuple(tasks[t] for t in order)
    here = margin(discretize(tasks, d_LTT, costs, "macs"), 60)
    there = margin(discretize(permuted, d_LTT[:, order][:, :, order], costs, "macs"), 60)
    assert (here.tree, here.runner_up, here.block) == (there.tree, there.runner_up, there.block)
    assert here.gap == there.gap
    assert here.noise(0.3) == pytest.approx(there.noise(0.3))
    assert len(list(itertools.combinations(tasks, 2))) == 10
