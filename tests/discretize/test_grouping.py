"""Groupings against an enumeration of all partitions."""

import numpy as np
import pytest
from constrained_trees import keeps
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.discretize import Constraints
from nas.discretize.grouping import all_groups, best_groupings, gains_by_pairs, grouping_curve
from nas.errors import InputError
from nas.tree import BranchTree, CostTable, set_partitions

BLOCKS = 3


def table_of(num_tasks):
    names = [f"t{t}" for t in range(num_tasks)]
    return CostTable(
        stem={"macs": 5},
        blocks=tuple({"macs": 10 + l} for l in range(BLOCKS)),
        heads={name: {"macs": 2 + t} for t, name in enumerate(names)},
        block_names=tuple("abc"),
    )


def naive_gain(partition, gain_TT):
    return sum(
        sum(gain_TT[t, s] for s in group if s != t) / (len(group) - 1)
        for group in partition
        if len(group) > 1
        for t in group
    )


@settings(deadline=None, max_examples=25)
@given(num_tasks=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_every_budget_gets_the_grouping_of_greatest_gain(num_tasks, seed):
    gain_TT = np.random.default_rng(seed).normal(size=(num_tasks, num_tasks))
    table = table_of(num_tasks)
    names = tuple(table.heads)
    curve = grouping_curve(names, gain_TT, table, "macs")
    assert curve.exact
    for k in range(1, num_tasks + 1):
        limit = 5 + 33 * k + sum(2 + t for t in range(num_tasks))
        point = curve.within(limit)
        best = max(naive_gain(p, gain_TT) for p in set_partitions(num_tasks) if len(p) <= k)
        # HiGHS compares gains to about 1e-7 of their size.
        assert point.value == pytest.approx(-best / num_tasks, abs=1e-5)
        groups = [[names.index(task) for task in group] for group in point.tree.partitions[0]]
        assert naive_gain(groups, gain_TT) == pytest.approx(-point.value * num_tasks)
        assert set(point.tree.partitions) == {point.tree.partitions[0]}
        assert table.tree_cost(point.tree)["macs"] == point.cost <= limit


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_constraints_are_kept_as_by_enumeration(seed, data):
    gain_TT, table = np.random.default_rng(seed).normal(size=(4, 4)), table_of(4)
    fields = data.draw(
        st.sampled_from(
            [
                {"apart": [{"tasks": ["t0", "t1"], "from_block": 2}]},
                {"together": [{"tasks": ["t0", "t3"], "through_block": 0}]},
                {"own_cost": {"t2": 0.5}},
                {"shared_prefix": 1},
                {"apart": [["t0", "t1"]], "together": [["t1", "t2"]], "own_cost": {"t3": 0.9}},
            ]
        )
    )
    constraints, names = Constraints(**fields), tuple(table.heads)
    curve = grouping_curve(names, gain_TT, table, "macs", constraints)
    trees = [
        BranchTree.from_choices(names, [[next(i for i, g in enumerate(p) if t in g) for t in range(4)]] * BLOCKS)
        for p in set_partitions(4)
    ]
    allowed = [tree for tree in trees if keeps(tree, constraints, table)]
    assert all(point.tree in allowed for point in curve)
    best = max(naive_gain([[names.index(task) for task in g] for g in tree.partitions[0]], gain_TT) for tree in allowed)
    assert -4 * curve[len(curve) - 1].value == pytest.approx(best, abs=1e-5)


def test_groups_that_were_measured_may_be_the_only_ones():
    groups_GT = np.array([[1, 1, 0], [0, 0, 1], [1, 1, 1]], bool)
    found = best_groupings(groups_GT, np.array([3.0, 0.0, 2.0]))
    assert [(gain, labels_T.tolist()) for gain, labels_T in found] == [(2.0, [0, 0, 0]), (3.0, [0, 0, 1])]
    assert best_groupings(np.array([[1, 1, 0]], bool), np.array([1.0])) == []


def test_the_gain_of_a_group_is_its_tasks_mean_gain_with_the_others():
    gain_TT = np.array([[9.0, 1.0, 3.0], [5.0, 9.0, 7.0], [-1.0, 0.0, 9.0]])
    gains = dict(
        zip(map(tuple, all_groups(3).astype(int).tolist()), gains_by_pairs(all_groups(3), gain_TT), strict=True)
    )
    assert gains[1, 0, 0] == 0.0
    assert gains[1, 1, 0] == 1.0 + 5.0
    assert gains[1, 1, 1] == (1.0 + 3.0) / 2 + (5.0 + 7.0) / 2 + (-1.0 + 0.0) / 2


def test_what_cannot_be_grouped_is_refused():
    with pytest.raises(InputError, match="at most 12 tasks; found 13"):
        all_groups(13)
    impossible = Constraints(shared_prefix=1, apart=[{"tasks": ["t0", "t1"], "from_block": 2}])
    with pytest.raises(InputError, match="branches at the root only"):
        grouping_curve(("t0", "t1", "t2"), np.zeros((3, 3)), table_of(3), "macs", impossible)
