"""From logits to dissimilarities and arg-max trees."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.discretize import argmax_tree, count_changed_choices, discretize, dissimilarity_from_logits
from nas.errors import InputError
from nas.tree import BranchTree, CostTable


def table(num_blocks: int, tasks) -> CostTable:
    names = tuple(f"b{l}" for l in range(num_blocks))
    return CostTable({"macs": 5}, ({"macs": 10},) * num_blocks, {task: {"macs": 2} for task in tasks}, names)


def best_tree(tasks, logits_LTC) -> BranchTree:
    curve = discretize(tasks, dissimilarity_from_logits(logits_LTC), table(len(logits_LTC), tasks), "macs")
    return curve[len(curve) - 1].tree


def test_formula():
    logits_LTC = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0))
    probs_LTC = logits_LTC.double().softmax(-1)
    agree = [(probs_LTC[l, 0] * probs_LTC[l, 1]).sum().item() for l in range(3)]
    expected = [0.25 - agree[0], agree[0] * (0.25 - agree[1]), agree[0] * agree[1] * (0.25 - agree[2])]
    dissimilarity_LTT = dissimilarity_from_logits(logits_LTC)
    assert dissimilarity_LTT[:, 0, 1] == pytest.approx(expected, abs=1e-12)  # rounded to 12 decimals
    assert np.array_equal(dissimilarity_LTT, dissimilarity_LTT.swapaxes(1, 2))
    assert not dissimilarity_LTT[:, [0, 1], [0, 1]].any()


@pytest.mark.parametrize("num_candidates", [1, 3, 5, 7])
def test_uniform_logits_are_all_zero_and_shared_wins_the_tie(num_candidates):
    tasks = ("a", "b", "c", "d")
    logits_LTC = torch.full((6, 4, num_candidates), 0.37)
    assert not dissimilarity_from_logits(logits_LTC).any()
    curve = discretize(tasks, dissimilarity_from_logits(logits_LTC), table(6, tasks), "macs")
    assert [point.tree for point in curve] == [BranchTree.shared(tasks, 6)]


def test_pairs_attract_iff_they_agree_more_than_by_chance():
    logits_LTC = torch.zeros(1, 3, 4)
    logits_LTC[0, 0, 0] = logits_LTC[0, 1, 0] = 0.1
    logits_LTC[0, 2, 1] = 0.1
    d_TT = dissimilarity_from_logits(logits_LTC)[0]
    assert d_TT[0, 1] < 0 < d_TT[0, 2]
    assert d_TT[0, 2] == d_TT[1, 2]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_one_hot_logits_without_a_budget_give_the_argmax_tree(data):
    num_tasks, num_blocks = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 18))
    tasks = tuple("abcde"[:num_tasks])
    row = st.lists(st.integers(0, num_tasks - 1), min_size=num_tasks, max_size=num_tasks)
    choices_LT = torch.tensor(data.draw(st.lists(row, min_size=num_blocks, max_size=num_blocks)))
    logits_LTC = 14.0 * torch.nn.functional.one_hot(choices_LT, num_tasks)
    assert best_tree(tasks, logits_LTC) == argmax_tree(tasks, logits_LTC)


def test_a_late_split_of_fairly_sure_logits_is_kept():
    # p = 0.99 for the arg-max; one task parts at block 8 of 10.
    choices_LT = torch.zeros(10, 5, dtype=torch.int64)
    choices_LT[8:, 0] = 1
    logits_LTC = 6.0 * torch.nn.functional.one_hot(choices_LT, 5)
    assert best_tree(tuple("abcde"), logits_LTC) == argmax_tree(tuple("abcde"), logits_LTC)
    assert best_tree(tuple("abcde"), logits_LTC).num_groups == (1,) * 8 + (2,) * 2


def test_argmax_tree_takes_the_first_of_equals():
    logits_LTC = torch.zeros(2, 3, 3)
    logits_LTC[1, 2, 1] = 1.0
    tree = argmax_tree(["a", "b", "c"], logits_LTC)
    assert tree.partitions == ((("a", "b", "c"),), (("a", "b"), ("c",)))


def test_changed_choices_are_counted():
    before_LTC = torch.zeros(2, 3, 3)
    after_LTC = before_LTC.clone()
    after_LTC[0, 1, 2] = after_LTC[1, 0, 1] = 1.0
    after_LTC[1, 2, 0] = 1.0  # was the arg-max before
    assert count_changed_choices(before_LTC, after_LTC) == 2
    assert count_changed_choices(after_LTC, after_LTC) == 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_refused(bad):
    logits_LTC = torch.zeros(2, 2, 2)
    logits_LTC[1, 0, 0] = bad
    for function in (dissimilarity_from_logits, lambda logits_LTC: argmax_tree(["a", "b"], logits_LTC)):
        with pytest.raises(InputError, match="block 1"):
            function(logits_LTC)


def test_wrong_shapes_are_refused():
    with pytest.raises(InputError, match="shape"):
        dissimilarity_from_logits(torch.zeros(2, 2))
    with pytest.raises(InputError, match="3 tasks"):
        argmax_tree(["a", "b", "c"], torch.zeros(2, 2, 2))
