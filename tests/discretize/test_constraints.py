"""Constraints: exact against enumeration, kept by the beam search, refused in words where they clash."""

import math
import time

import numpy as np
import pytest
from constrained_trees import constrained, keeps, random_dissimilarity, table, value_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nas.discretize import Constraints, cheapest_tree, discretize, keeps_constraints
from nas.errors import InputError
from nas.tree import BranchTree, CostTable, enumerate_trees


@settings(max_examples=150, deadline=None)
@given(constrained(), st.integers(0, 10**6))
def test_the_curve_is_the_front_of_all_trees_that_keep_the_constraints(problem, seed):
    tasks, costs, constraints = problem
    dissimilarity_LTT = random_dissimilarity(len(costs.blocks), len(tasks), seed)
    allowed = [tree for tree in enumerate_trees(tasks, len(costs.blocks)) if keeps(tree, constraints, costs)]
    if not allowed:
        with pytest.raises(InputError, match="constraints"):
            discretize(tasks, dissimilarity_LTT, costs, "macs", constraints=constraints)
        return
    curve = discretize(tasks, dissimilarity_LTT, costs, "macs", constraints=constraints)
    front: list[tuple[float, float]] = []
    for cost, value in sorted((costs.tree_cost(t)["macs"], value_of(t, tasks, dissimilarity_LTT)) for t in allowed):
        # The programme rounds to 2^-30 of the greatest dissimilarity.
        if not front or value < front[-1][1] - 1e-7:
            front.append((cost, value))
    assert [point.cost for point in curve] == [cost for cost, _ in front]
    assert [point.value for point in curve] == pytest.approx([value for _, value in front], abs=1e-6)
    assert all(keeps(point.tree, constraints, costs) for point in curve)
    cheapest = cheapest_tree(tasks, costs, "macs", constraints)
    assert keeps(cheapest, constraints, costs)
    assert cheapest.cost["macs"] == curve[0].cost == front[0][0]


def many_tasks(num_tasks: int) -> tuple[tuple[str, ...], CostTable, Constraints]:
    tasks = tuple(f"t{t:02}" for t in range(num_tasks))
    constraints = Constraints(
        together=[tasks[:2], {"tasks": tasks[2:5], "through_block": 3}],
        apart=[{"tasks": (tasks[0], tasks[5], tasks[6]), "from_block": 2}, {"tasks": tasks[7:9], "from_block": 1}],
        shared_prefix=1,
        own_cost={tasks[5]: 0.2, tasks[-1]: 3.0},
    )
    return tasks, table([5, 4, 3, 2, 1], tasks), constraints


@pytest.mark.parametrize("num_tasks", [9, 14])
def test_the_beam_search_keeps_them_and_starts_at_the_cheapest(num_tasks):
    tasks, costs, constraints = many_tasks(num_tasks)
    curve = discretize(tasks, random_dissimilarity(5, num_tasks, seed=1), costs, "macs", constraints=constraints)
    assert not curve.exact
    assert len(curve) > 3
    assert all(keeps(point.tree, constraints, costs) for point in curve)
    # Two groups where t07 and t08 have parted, three where t00, t05 and t06 have.
    assert curve[0].tree.num_groups == (1, 2, 3, 3, 3)


def test_the_beam_search_finds_the_best_tree_that_constraints_leave():
    # Nine tasks in three clusters; with the clusters' first tasks forced together, and the second cluster split, the
    # best tree is known: d is so great that nothing else can pay.
    tasks, costs = tuple("abcdefghi"), table([3, 2, 1], tuple("abcdefghi"))
    cluster_T = np.arange(9) // 3
    dissimilarity_LTT = np.where(cluster_T[:, None] == cluster_T, -1.0, 1.0) * np.ones((3, 1, 1))
    constraints = Constraints(together=[["a", "b", "c", "g", "h", "i"]], apart=[["d", "e", "f"]])
    curve = discretize(tasks, dissimilarity_LTT, costs, "macs", constraints=constraints)
    together = ("a", "b", "c", "g", "h", "i")
    expected = BranchTree(tasks, ((together, ("d",), ("e",), ("f",)),) * 3)
    assert curve[len(curve) - 1].tree == expected


def test_the_cheapest_tree_of_forty_tasks_takes_no_time():
    tasks = tuple(f"t{t}" for t in range(40))
    # A cycle of odd length needs three groups, which no two tasks of it show by themselves.
    apart = [{"tasks": (tasks[t], tasks[(t + 1) % 9]), "from_block": 2} for t in range(9)]
    start = time.perf_counter()
    cheapest = cheapest_tree(tasks, table([1, 1, 1, 1], tasks), "macs", Constraints(apart=apart, shared_prefix=1))
    assert cheapest.num_groups == (1, 1, 3, 3)
    # 0.1 s; with the 31 tasks that no constraint names it would be 20 s.
    assert time.perf_counter() - start < 5


def test_without_constraints_nothing_changes():
    tasks, costs = tuple("abcde"), table([3, 2, 1], tuple("abcde"))
    dissimilarity_LTT = random_dissimilarity(3, 5, seed=0)
    free = discretize(tasks, dissimilarity_LTT, costs, "macs")
    empty = discretize(tasks, dissimilarity_LTT, costs, "macs", constraints=Constraints())
    assert [point.tree for point in free] == [point.tree for point in empty]
    assert cheapest_tree(tasks, costs, "macs") == BranchTree.shared(tasks, 3)


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        ({"apart": [["a", "z"]]}, r"no tasks \['z'\]; the tasks are"),
        ({"own_cost": {"y": 0.5}}, r"no tasks \['y'\]"),
        ({"apart": [{"tasks": ["a", "b"], "from_block": 3}]}, "from_block is 3; the blocks are 0 to 2"),
        ({"together": [{"tasks": ["a", "b"], "through_block": 9}]}, "through_block is 9"),
        ({"shared_prefix": 4}, "shared_prefix is 4; there are 3 blocks"),
        ({"together": [["a", "b"], ["b", "c"]], "apart": [["a", "c"]]}, "a and c must share block 0 and must not"),
        ({"shared_prefix": 2, "apart": [{"tasks": ["b", "c"], "from_block": 1}]}, "b and c must share block 1"),
        ({"own_cost": {"a": 2.9}}, "its head alone costs 3; allow at least that"),
        # Alone from block 1 on, a adds blocks of 2 and 1, and a head of 3.
        (
            {"apart": [{"tasks": "abcd", "from_block": 1}], "own_cost": {"a": 5}},
            "alone from block 1 on.*at least 6 macs",
        ),
    ],
)
def test_contradictions_are_named(constraints, words):
    if isinstance(tasks := (constraints.get("apart") or [None])[0], dict) and isinstance(tasks["tasks"], str):
        tasks["tasks"] = list(tasks["tasks"])
    with pytest.raises(InputError, match=words):
        discretize(
            tuple("abcd"),
            np.zeros((3, 4, 4)),
            table([3, 2, 1], tuple("abcd")),
            "macs",
            constraints=Constraints(**constraints),
        )


def test_limits_that_clash_with_each_other_are_named():
    # Of three tasks that must be apart in pairs with d, one alone can be with none of the others.
    constraints = Constraints(apart=[["a", "b"], ["b", "c"], ["a", "c"]], own_cost={"a": 3.5, "b": 3.5})
    tasks = tuple("abcd")
    with pytest.raises(InputError, match="no tree keeps the limits of a, b at once"):
        discretize(tasks, np.zeros((2, 4, 4)), table([3, 2], tasks), "macs", constraints=constraints)


def test_a_budget_below_the_cheapest_allowed_tree_is_refused():
    tasks, costs = tuple("abc"), table([3, 2, 1], tuple("abc"))
    constraints = Constraints(apart=[{"tasks": ["a", "b"], "from_block": 1}])
    # Stem 7, heads 9, blocks 3 + 2 * 2 + 2 * 1.
    for too_small in (24.9, math.nan):
        with pytest.raises(InputError, match="cheapest that the constraints allow costs 25"):
            discretize(tasks, np.zeros((3, 3, 3)), costs, "macs", max_cost=too_small, constraints=constraints)
    assert len(discretize(tasks, np.zeros((3, 3, 3)), costs, "macs", max_cost=25, constraints=constraints)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"apart": [["a"]]},
        {"apart": [["a", "a"]]},
        {"together": [{"tasks": ["a", "b"], "from_block": 1}]},
        {"own_cost": {"a": 0}},
        {"own_cost": {"a": math.inf}},
        {"shared_prefix": -1},
        {"prefix": 1},
    ],
)
def test_malformed_constraints_are_refused(fields):
    with pytest.raises(ValidationError):
        Constraints(**fields)


@settings(max_examples=60, deadline=None)
@given(constrained(max_tasks=3))
def test_a_tree_is_checked_as_the_constraints_say(problem):
    tasks, costs, constraints = problem
    try:
        cheapest_tree(tasks, costs, "macs", constraints)
    except InputError:
        return
    for tree in enumerate_trees(tasks, len(costs.blocks)):
        assert keeps_constraints(tree, constraints, costs, "macs") == keeps(tree, constraints, costs)
