"""Recovery: known values, its bounds, and what happens where the index has no value."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import rand_score

from nas.datasets.planted import tree_a
from nas.errors import InputError
from nas.tree import BranchTree, Partition, random_tree_shape, recovery

TASKS = ("a", "b", "c", "d", "e", "f")


def _tree(seed: int) -> BranchTree:
    return random_tree_shape(TASKS, 3, np.random.default_rng(seed))


def _adjusted(found: Partition, planted: Partition) -> float | None:
    """Hubert and Arabie's formula over pairs, as it is written; None where it divides by zero."""
    together = sum(comb(len(set(a) & set(b)), 2) for a in found for b in planted)
    in_found, in_planted = (sum(comb(len(group), 2) for group in partition) for partition in (found, planted))
    expected = in_found * in_planted / comb(6, 2)
    most = (in_found + in_planted) / 2
    return None if most == expected else (together - expected) / (most - expected)


@settings(deadline=None, max_examples=50)  # the first call imports scikit-learn
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_indices_are_those_of_the_formulas(one: int, other: int) -> None:
    found, planted = _tree(one), _tree(other)
    measured = recovery(found, planted)
    for ari, a, b in zip(measured.ari_by_block, found.partitions, planted.partitions, strict=True):
        expected = _adjusted(a, b)
        assert ari == pytest.approx(1.0 if expected is None else expected, abs=1e-12)
    assert measured.ari == pytest.approx(sum(measured.ari_by_block) / 3)
    rand = [rand_score(a, b) for a, b in zip(found.choices_LT, planted.choices_LT, strict=True)]
    assert measured.distance == pytest.approx(1 - sum(rand) / 3)
    assert measured.exact == (found == planted) == (measured.ari == 1.0)


def test_a_tree_recovers_itself_in_any_order_of_its_tasks() -> None:
    planted = tree_a().tree
    found = BranchTree(planted.tasks[::-1], planted.partitions)
    measured = recovery(found, planted)
    assert (measured.ari, measured.distance, measured.exact) == (1.0, 0.0, True)


@pytest.mark.parametrize("trivial", [BranchTree.shared, BranchTree.separate])
def test_equal_trivial_partitions_agree(trivial) -> None:
    assert recovery(trivial(TASKS, 3), trivial(TASKS, 3)).ari == 1.0
    assert recovery(trivial(["a"], 2), trivial(["a"], 2)).ari == 1.0


def test_one_trivial_partition_costs_the_block_however_little_is_wrong() -> None:
    nearly = BranchTree(TASKS, ((("a", "b"), ("c",), ("d",), ("e",), ("f",)),))
    measured = recovery(nearly, BranchTree.separate(TASKS, 1))
    assert measured.ari == 0.0
    assert measured.distance == pytest.approx(1 / 15)
    assert recovery(BranchTree.shared(TASKS, 1), BranchTree.separate(TASKS, 1)).ari == 0.0


def test_random_trees_are_worth_nothing_where_blocks_part_in_two() -> None:
    rng = np.random.default_rng(0)
    planted = BranchTree.from_choices(TASKS, [[0, 0, 0, 1, 1, 1]])
    found = [
        recovery(BranchTree.from_choices(TASKS, [rng.permutation([0, 0, 0, 1, 1, 1])]), planted).ari for _ in range(60)
    ]
    # The index is centred at partitions of these sizes: 0 within five standard errors, of 60 values in [-0.25, 1].
    assert abs(np.mean(found)) < 5 * np.std(found) / 60**0.5


def test_trees_of_other_tasks_are_refused() -> None:
    with pytest.raises(InputError, match="over the same tasks"):
        recovery(BranchTree.shared(["a"], 1), BranchTree.shared(["b"], 1))
