import re
from itertools import combinations

import pytest
from all_trees import enumerate_trees
from hypothesis import given
from tree_strategies import NAMES, comparable_trees, trees

from nas.errors import InputError
from nas.tree import BranchTree, describe_difference, distance


def together(tree, l, s, t):
    return any({s, t} <= set(group) for group in tree.partitions[l])


@given(comparable_trees(2))
def test_distance_is_the_mean_of_one_minus_rand_index(pair):
    a, b = pair
    pairs = list(combinations(a.tasks, 2))
    disagreements = [together(a, l, s, t) != together(b, l, s, t) for l in range(len(a.partitions)) for s, t in pairs]
    expected = sum(disagreements) / len(disagreements) if disagreements else 0
    assert distance(a, b) == pytest.approx(expected, abs=1e-12)  # two orders of the same few additions


@given(comparable_trees(3))
def test_distance_is_a_metric(three):
    a, b, c = three
    assert distance(a, b) == distance(b, a)
    assert (distance(a, b) == 0) == (a == b)
    assert 0 <= distance(a, b) <= 1
    # Each distance is one division, with a rounding of at most 1e-16.
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-15


def test_distance_of_all_pairs_of_small_trees_is_zero_only_on_the_diagonal():
    every = list(enumerate_trees(NAMES[:3], 2))
    assert [[distance(a, b) == 0 for b in every] for a in every] == [[a is b for b in every] for a in every]


def test_shared_and_separate_are_farthest():
    assert distance(BranchTree.shared(NAMES, 4), BranchTree.separate(NAMES, 4)) == 1
    assert distance(BranchTree.shared(["a"], 4), BranchTree.separate(["a"], 4)) == 0


def mentioned(tree, sentences):
    """(pair, blocks shared in the first tree, in the second) of every pair that sentences tell of."""
    names = {f"block{l}": l for l in range(len(tree.partitions))}
    listed = re.compile(r", | and ")
    for sentence in sentences:
        first, second = sentence.removesuffix(" in the second").split(" in the first tree, ")
        subject, predicate = re.split(r" (?=parts? |shares? )", first, maxsplit=1)
        subjects = list(tree.tasks) if re.fullmatch(r"all \d+ tasks", subject) else listed.split(subject)
        others = re.search(r"(?:from|with) (.*?)(?: at |$)", predicate)
        pairs = (
            [(s, t) for s in subjects for t in listed.split(others[1])] if others else list(combinations(subjects, 2))
        )

        def num_shared(words):
            return names[words.split(" at ")[1]] if " at " in words else len(tree.partitions)

        for pair in pairs:
            yield frozenset(pair), num_shared(predicate), num_shared(f" {second}")


@given(comparable_trees(2))
def test_sentences_tell_every_difference_once(pair):
    a, b = pair
    told = list(mentioned(a, describe_difference(a, b)))
    expected = set()
    for s, t in combinations(a.tasks, 2):
        counts = tuple(sum(together(tree, l, s, t) for l in range(len(tree.partitions))) for tree in (a, b))
        if counts[0] != counts[1]:
            expected.add((frozenset((s, t)), *counts))
    assert len(told) == len(expected)
    assert set(told) == expected


@given(trees())
def test_equal_trees_differ_in_nothing(tree):
    assert describe_difference(tree, tree) == []
    assert distance(tree, tree) == 0


def test_the_difference_reads_well():
    tasks = ["left", "right", "mean", "sum"]
    late = BranchTree.from_choices(tasks[:2], [[0, 0]] * 4 + [[0, 1]] * 2)
    early = BranchTree.from_choices(tasks[:2], [[0, 0]] * 2 + [[0, 1]] * 4)
    assert describe_difference(early, late) == [
        "left and right part at block2 in the first tree, at block4 in the second"
    ]
    shared, separate = BranchTree.shared(tasks, 3), BranchTree.separate(tasks, 3)
    assert describe_difference(shared, separate) == [
        "all 4 tasks share every block in the first tree, part at block0 in the second"
    ]
    assert describe_difference(separate, shared) == [
        "all 4 tasks part at block0 in the first tree, share every block in the second"
    ]
    outsider = BranchTree.from_choices(tasks, [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    assert describe_difference(outsider, shared) == [
        "left parts from right, mean and sum at block2 in the first tree, shares every block in the second"
    ]
    three = BranchTree.from_choices(tasks, [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]])
    assert describe_difference(shared, three) == [
        "left, right and mean share every block with sum in the first tree, part at block1 in the second"
    ]
    halves = BranchTree.from_choices(tasks, [[0, 0, 1, 1]] * 3)
    assert describe_difference(shared, halves) == [
        "left and right share every block with mean and sum in the first tree, part at block0 in the second"
    ]


def test_each_tree_has_its_own_names_of_blocks():
    a = BranchTree(["s", "t"], ((("s", "t"),), (("s",), ("t",))), ("conv1", "conv2"))
    b = BranchTree(["t", "s"], ((("s",), ("t",)), (("s",), ("t",))), ("layer1", "layer2"))
    assert describe_difference(a, b) == ["s and t part at conv2 in the first tree, at layer1 in the second"]


@pytest.mark.parametrize("compare", [distance, describe_difference])
def test_trees_that_cannot_be_compared(compare):
    with pytest.raises(InputError, match="same tasks"):
        compare(BranchTree.shared(["a", "b"], 2), BranchTree.shared(["a", "c"], 2))
    with pytest.raises(InputError, match="the first has 2, the second 3"):
        compare(BranchTree.shared(["a", "b"], 2), BranchTree.shared(["a", "b"], 3))
