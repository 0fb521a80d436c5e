"""In how many trees the tasks part as in one tree."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.errors import InputError
from nas.tree import BranchTree, split_agreement

TASKS = ("a", "b", "c", "d")
CHOICES = st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), min_size=3, max_size=3)
TREES = st.builds(BranchTree.from_choices, st.just(TASKS), CHOICES)


def num_shared(tree, s, t):
    return sum(any({s, t} <= set(group) for group in partition) for partition in tree.partitions)


@given(TREES, st.lists(TREES, max_size=4))
def test_tasks_part_where_the_last_of_their_pairs_parts(tree, others):
    splits = split_agreement(tree, others)
    for split in splits:
        pairs = [
            (s, t) for one, other in itertools.combinations(split.parts, 2) for s, t in itertools.product(one, other)
        ]
        block = tree.blocks.index(split.block)
        assert {num_shared(tree, s, t) for s, t in pairs} == {block}
        parted = [max(num_shared(other, s, t) for s, t in pairs) for other in others]
        assert split.here == parted.count(block)
        assert split.before == sum(at < block for at in parted)
        assert split.num_trees == len(others)
    # Every two tasks that part anywhere part in exactly one split.
    apart = sum(num_shared(tree, s, t) < 3 for s, t in itertools.combinations(TASKS, 2))
    assert apart == sum(
        len(one) * len(other) for split in splits for one, other in itertools.combinations(split.parts, 2)
    )


@given(TREES, st.integers(1, 4))
def test_a_tree_agrees_with_itself(tree, number):
    for split in split_agreement(tree, [tree] * number):
        assert (split.here, split.before) == (number, 0)
        assert not split.doubtful


def test_the_words_name_the_smallest_part_first_and_only_what_happens():
    tree = BranchTree.from_choices(TASKS, [[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 2, 3]])
    first, second = split_agreement(tree, [tree, BranchTree.shared(TASKS, 3), BranchTree.separate(TASKS, 3)])
    assert first.in_words("seeds") == (
        "a parts from b, c and d at block1 in 1 of 3 seeds, earlier in 1, later or never in 1"
    )
    assert second.in_words() == (
        "b; c; d part from each other at block2 in 1 of 3 trees, earlier in 1, later or never in 1"
    )
    pairs = BranchTree.from_choices(TASKS, [[0, 0, 1, 1]] * 3)
    (only,) = split_agreement(pairs, [pairs, pairs])
    assert only.in_words() == "a and b part from c and d at block0 in 2 of 2 trees"


def test_a_split_is_doubtful_unless_most_trees_have_it():
    tree = BranchTree.from_choices(TASKS, [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 1, 1]])
    shared, separate = BranchTree.shared(TASKS, 3), BranchTree.separate(TASKS, 3)
    for others, doubtful in (([tree, shared], True), ([tree, separate, shared], False), ([shared, shared, tree], True)):
        (split,) = split_agreement(tree, others)
        assert split.doubtful == doubtful


def test_trees_of_other_tasks_are_refused():
    with pytest.raises(InputError, match="same tasks"):
        split_agreement(BranchTree.shared(TASKS, 3), [BranchTree.shared(("a", "b"), 3)])
