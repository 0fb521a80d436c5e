"""Merges from the input upwards: which are possible, and that budgets and constraints can be met whatever is merged."""

import numpy as np
import pytest
from constrained_trees import constrained, random_dissimilarity, table
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tree_strategies import trees

from nas.discretize import Constraints, cheapest_tree, keeps_constraints
from nas.errors import InputError
from nas.strategies import Goal
from nas.strategies.affinity.merging import (
    best_merge,
    can_reach,
    distance,
    finest_tree,
    possible_merges,
    tree_within,
)
from nas.tree import BranchTree, enumerate_trees


@given(trees())
def test_a_merge_gives_a_tree_with_one_group_fewer(tree):
    merges = list(possible_merges(tree))
    shared = BranchTree.shared(tree.tasks, len(tree.partitions))
    assert bool(merges) == (tree != shared)
    for merge in merges:
        merged = merge.of(tree)
        assert sum(merged.num_groups) == sum(tree.num_groups) - 1
        assert {*merge.first, *merge.second} in [set(group) for group in merged.partitions[merge.block]]


def test_groups_whose_parents_differ_cannot_merge():
    tree = BranchTree.from_choices("abc", [[0, 0, 1], [0, 1, 2]])
    assert [(m.block, m.first, m.second) for m in possible_merges(tree)] == [
        (0, ("a", "b"), ("c",)),
        (1, ("a",), ("b",)),
    ]


@given(constrained())
def test_the_finest_tree_shares_what_it_must_and_no_more(problem):
    tasks, costs, constraints = problem
    only = Constraints(together=constraints.together, shared_prefix=constraints.shared_prefix)
    finest = finest_tree(tasks, costs, only)
    allowed = [
        each for each in enumerate_trees(tasks, len(costs.blocks)) if keeps_constraints(each, only, costs, "macs")
    ]
    assert finest in allowed
    assert all(sum(each.num_groups) <= sum(finest.num_groups) for each in allowed)
    assert finest.blocks == costs.block_names


@settings(deadline=None, max_examples=60)
@given(constrained(), st.floats(0.0, 1.0), st.integers(0, 100))
def test_merging_the_most_similar_groups_always_meets_budget_and_constraints(problem, share, seed):
    tasks, costs, constraints = problem
    goal = Goal(constraints=constraints)
    try:
        cheapest = cheapest_tree(tasks, costs, "macs", constraints)
    except InputError:
        assume(False)
    tree = finest_tree(tasks, costs, constraints)
    least, most = (costs.tree_cost(each)["macs"] for each in (cheapest, tree))
    limit = least + share * max(0.0, most - least)
    unlike_LTT = random_dissimilarity(len(costs.blocks), len(tasks), seed)
    assert can_reach(tree, costs, goal, limit)
    for _ in range(1 + sum(tree.num_groups)):
        if tree_within([tree], costs, goal, limit) is not None:
            break
        merge, unlike = best_merge(tree, unlike_LTT, costs, goal, limit)
        assert unlike == distance(merge, tasks, unlike_LTT)
        tree = merge.of(tree)
    assert costs.tree_cost(tree)["macs"] <= limit
    assert keeps_constraints(tree, constraints, costs, "macs")


def coarser(tree, other):
    """Whether every group of a tree is part of one of the other tree's at the same block."""
    return all(
        any(set(group) <= set(larger) for larger in wide)
        for narrow, wide in zip(tree.partitions, other.partitions, strict=True)
        for group in narrow
    )


@settings(deadline=None, max_examples=60)
@given(constrained(max_tasks=3), st.data())
def test_what_can_be_reached_is_what_enumeration_says(problem, data):
    tasks, costs, constraints = problem
    every = list(enumerate_trees(tasks, len(costs.blocks)))
    tree = data.draw(st.sampled_from(every))
    limit = data.draw(st.sampled_from([costs.tree_cost(each)["macs"] for each in every]))
    try:
        allowed = [each for each in every if keeps_constraints(each, constraints, costs, "macs")]
    except InputError:
        assume(False)
    expected = any(coarser(tree, each) and costs.tree_cost(each)["macs"] <= limit for each in allowed)
    assert can_reach(tree, costs, Goal(constraints=constraints), limit) == expected


def test_the_most_similar_groups_are_merged_and_groups_by_their_mean():
    costs, unlike_LTT = table([1, 1], "abc"), np.ones((2, 3, 3))
    unlike_LTT[0, 1, 2] = unlike_LTT[0, 2, 1] = 0.1
    unlike_LTT[1, 0, 1] = unlike_LTT[1, 1, 0] = 0.0
    tree = BranchTree.separate("abc", 2)
    merge, unlike = best_merge(tree, unlike_LTT, costs, Goal(), 0.0 + costs.total("macs", [1, 1], "abc"))
    # At block 1 no two groups share block 0 yet.
    assert (merge.block, merge.first, merge.second, unlike) == (0, ("b",), ("c",), 0.1)
    unlike_LTT[0, 0, 1] = unlike_LTT[0, 1, 0] = 0.5
    (left,) = [m for m in possible_merges(merge.of(tree)) if m.block == 0]
    assert distance(left, "abc", unlike_LTT) == pytest.approx(0.75)
