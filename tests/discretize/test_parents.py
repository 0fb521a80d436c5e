"""From logits of parents to dissimilarities and trees, within the nodes of each block."""

import itertools

import numpy as np
import pytest
import torch
from constrained_trees import constrained, keeps, random_dissimilarity, table, value_of
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.discretize import (
    Constraints,
    ancestor_agreement,
    argmax_parents_tree,
    cheapest_tree,
    count_changed_parents,
    discretize,
    dissimilarity_from_parents,
)
from nas.errors import InputError
from nas.tree import BranchTree, ancestors, enumerate_trees

SHAPES = [((3,), 3), ((2, 3), 3), ((3, 2), 3), ((2, 2, 2), 3), ((1, 3, 2), 2)]


def random_logits(nodes, num_tasks, seed=0, scale=1.0):
    generator, readers = torch.Generator().manual_seed(seed), [*nodes[1:], num_tasks]
    return [scale * torch.randn(shape, generator=generator) for shape in zip(readers, nodes, strict=True)]


def sharp_logits(rows, nodes):
    return [
        14.0 * torch.nn.functional.one_hot(torch.tensor(row), num_nodes)
        for row, num_nodes in zip(rows, nodes, strict=True)
    ]


@st.composite
def spaces(draw, max_nodes=4):
    """Numbers of nodes, and choices in them."""
    nodes = draw(st.lists(st.integers(1, max_nodes), min_size=1, max_size=4))
    readers = [*nodes[1:], draw(st.integers(2, 5))]
    return nodes, [
        draw(st.lists(st.integers(0, j - 1), min_size=k, max_size=k)) for j, k in zip(nodes, readers, strict=True)
    ]


@pytest.mark.parametrize(("nodes", "num_tasks"), SHAPES)
def test_agreement_equals_brute_force(nodes, num_tasks):
    logits = random_logits(nodes, num_tasks, scale=2.0)
    probs = [rows.double().softmax(-1).tolist() for rows in logits]
    expected_LTT = np.zeros((len(nodes), num_tasks, num_tasks))
    every = [itertools.product(range(j), repeat=k) for j, k in zip(nodes, [*nodes[1:], num_tasks], strict=True)]
    for rows in itertools.product(*every):
        weight = np.prod([probs[l][k][node] for l, row in enumerate(rows) for k, node in enumerate(row)])
        ancestor_LT = np.array(ancestors(rows))
        expected_LTT += weight * (ancestor_LT[:, :, None] == ancestor_LT[:, None, :])
    # The softmax of single precision is taken in double precision on both sides.
    np.testing.assert_allclose(ancestor_agreement(logits), expected_LTT, rtol=0, atol=1e-12)


@pytest.mark.parametrize("nodes", [(1,), (3, 5), (2, 7, 4)])
def test_uniform_logits_are_all_zero_and_shared_wins_the_tie(nodes):
    tasks = ("a", "b", "c", "d")
    logits = [torch.full_like(rows, 0.37) for rows in random_logits(nodes, 4)]
    assert not dissimilarity_from_parents(logits).any()
    curve = discretize(tasks, dissimilarity_from_parents(logits), table([1] * len(nodes), tasks), "macs")
    assert [point.tree for point in curve] == [BranchTree.shared(tasks, len(nodes))]


def test_pairs_attract_iff_they_meet_more_often_than_by_chance():
    logits = [torch.zeros(2, 2), torch.zeros(3, 2)]
    logits[1][0, 0] = logits[1][1, 0] = logits[1][2, 1] = 0.1
    d_LTT = dissimilarity_from_parents(logits)
    assert d_LTT[1, 0, 1] < 0 < d_LTT[1, 0, 2]
    # Nothing is known of the first block.
    assert not d_LTT[0].any()


@settings(max_examples=60, deadline=None)
@given(spaces())
def test_sharp_logits_without_a_budget_give_the_argmax_tree(case):
    nodes, rows = case
    tasks, logits = tuple("abcde"[: len(rows[-1])]), sharp_logits(rows, nodes)
    curve = discretize(
        tasks, dissimilarity_from_parents(logits), table([1] * len(nodes), tasks), "macs", most_groups=nodes
    )
    assert curve[len(curve) - 1].tree == argmax_parents_tree(tasks, logits)


@settings(max_examples=60, deadline=None)
@given(constrained(), st.data())
def test_no_tree_has_more_groups_than_nodes(problem, data):
    """The curve is the front of all trees that keep the constraints and fit into the nodes."""
    tasks, costs, constraints = problem
    num_blocks = len(costs.blocks)
    most = data.draw(st.lists(st.integers(1, len(tasks)), min_size=num_blocks, max_size=num_blocks))
    dissimilarity_LTT = random_dissimilarity(num_blocks, len(tasks), data.draw(st.integers(0, 10**6)))
    trees = [
        tree
        for tree in enumerate_trees(tasks, num_blocks)
        if keeps(tree, constraints, costs) and all(g <= m for g, m in zip(tree.num_groups, most, strict=True))
    ]
    given_ = {"constraints": constraints, "most_groups": most}
    if not trees:
        with pytest.raises(InputError, match="constraints"):
            discretize(tasks, dissimilarity_LTT, costs, "macs", **given_)
        return
    curve = discretize(tasks, dissimilarity_LTT, costs, "macs", **given_)
    front: list[tuple[float, float]] = []
    for cost, value in sorted((costs.tree_cost(t)["macs"], value_of(t, tasks, dissimilarity_LTT)) for t in trees):
        # The programme rounds to 2^-30 of the greatest dissimilarity.
        if not front or value < front[-1][1] - 1e-7:
            front.append((cost, value))
    assert [point.cost for point in curve] == [cost for cost, _ in front]
    cheapest = cheapest_tree(tasks, costs, "macs", constraints, most)
    assert cheapest in trees
    assert cheapest.cost["macs"] == front[0][0]


def test_the_beam_search_keeps_the_nodes():
    tasks, nodes = tuple(f"t{t}" for t in range(12)), (2, 3, 5)
    curve = discretize(tasks, random_dissimilarity(3, 12, 0), table([3, 2, 1], tasks), "macs", most_groups=nodes)
    assert not curve.exact
    assert max(point.tree.num_groups[2] for point in curve) == 5
    assert all(g <= m for point in curve for g, m in zip(point.tree.num_groups, nodes, strict=True))


def test_too_few_nodes_for_the_constraints_are_named():
    tasks = ("a", "b", "c")
    with pytest.raises(InputError, match=r"at most \[1, 2\] groups.* \[1, 3\] groups are enough"):
        cheapest_tree(
            tasks, table([1, 1], tasks), "macs", Constraints(apart=[{"tasks": tasks, "from_block": 1}]), [1, 2]
        )


def test_the_argmax_drops_nodes_that_no_task_reaches():
    # Node 2 of the last block is the only one that reads node 1 of the first, and no task reads it.
    logits = sharp_logits([[0, 0, 1], [0, 1, 1]], (2, 3))
    tree = argmax_parents_tree(("a", "b", "c"), logits)
    assert tree.partitions == ((("a", "b", "c"),), (("a",), ("b", "c")))


def test_changed_parents_are_counted():
    before = sharp_logits([[0, 0, 1], [0, 1, 1]], (2, 3))
    after = sharp_logits([[0, 1, 1], [2, 1, 1]], (2, 3))
    assert count_changed_parents(before, after) == 2
    assert count_changed_parents(after, after) == 0


def test_bad_logits_are_refused():
    with pytest.raises(InputError, match="finite"):
        dissimilarity_from_parents([torch.tensor([[0.0, float("nan")]])])
    with pytest.raises(InputError, match="block 1 has 2 nodes, but block 0 has 3 readers"):
        argmax_parents_tree(("a", "b"), [torch.zeros(3, 2), torch.zeros(2, 2)])
