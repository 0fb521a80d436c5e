import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import InputError
from nas.tree import BranchTree, ancestors, parents_of, tree_from_parents


@st.composite
def parent_choices(draw, max_blocks=4, max_tasks=5, max_nodes=4):
    """Numbers of nodes, and choices of parents."""
    nodes = draw(st.lists(st.integers(1, max_nodes), min_size=1, max_size=max_blocks))
    num_readers = [*nodes[1:], draw(st.integers(1, max_tasks))]
    rows = [
        draw(st.lists(st.integers(0, num_nodes - 1), min_size=k, max_size=k))
        for num_nodes, k in zip(nodes, num_readers, strict=True)
    ]
    return nodes, rows


def names(rows):
    return tuple(f"t{t}" for t in range(len(rows[-1])))


def ancestor(rows, l, task):
    """Word for word: up from the task, one block after another."""
    node = rows[-1][task]
    for m in range(len(rows) - 2, l - 1, -1):
        node = rows[m][node]
    return node


@settings(deadline=None)
@given(parent_choices())
def test_tasks_share_a_block_iff_they_have_the_same_ancestor(case):
    nodes, rows = case
    tree, tasks = tree_from_parents(names(rows), rows), names(rows)
    for l, partition in enumerate(tree.partitions):
        for s, first in enumerate(tasks):
            for t, second in enumerate(tasks):
                share = any(first in group and second in group for group in partition)
                assert share == (ancestor(rows, l, s) == ancestor(rows, l, t))
        assert len(partition) <= nodes[l]
        assert ancestors(rows)[l] == [ancestor(rows, l, t) for t in range(len(tasks))]


@settings(deadline=None)
@given(parent_choices())
def test_choices_of_a_tree_describe_it(case):
    nodes, rows = case
    tree = tree_from_parents(names(rows), rows)
    found = parents_of(tree, nodes)
    assert [len(row) for row in found] == [*nodes[1:], len(names(rows))]
    assert tree_from_parents(tree.tasks, found) == tree
    # As many nodes as groups are enough.
    assert tree_from_parents(tree.tasks, parents_of(tree, tree.num_groups)) == tree


def test_a_tree_with_more_groups_than_nodes_is_refused():
    tree = BranchTree.separate(("a", "b", "c"), 2)
    with pytest.raises(InputError, match=r"block1 of tree .* has 3 groups; the space has 2 nodes"):
        parents_of(tree, [3, 2])
    with pytest.raises(InputError, match="2 blocks; found numbers of nodes for 1"):
        parents_of(tree, [3])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no rows"),
        ([[0, 0]], "each of the 3 tasks; found 2 choices"),
        ([[0, 1], [0, 1, 2]], "block 1 has the nodes 0 to 1; a reader of it reads node 2"),
        ([[0, -1], [0, 1, 1]], "reads node -1"),
    ],
)
def test_choices_that_do_not_fit_are_refused(rows, message):
    with pytest.raises(InputError, match=message):
        tree_from_parents(("a", "b", "c"), rows)
