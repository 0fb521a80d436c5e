import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.discretize import value_of
from nas.strategies.affinity import unlikeness
from nas.strategies.affinity.pair_means import PairMeans
from nas.tree import BranchTree


def affinities(seed, count=1, num_blocks=2, num_tasks=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, num_blocks, num_tasks, num_tasks, generator=generator, dtype=torch.float64)


@given(st.integers(0, 1000))
def test_unlikeness_is_symmetric_and_zero_for_equal_tasks(seed):
    (affinity_LTT,) = affinities(seed)
    # Task 2 equals task 1 in everything.
    affinity_LTT[:, 2], affinity_LTT[:, :, 2] = affinity_LTT[:, 1].clone(), affinity_LTT[:, :, 1].clone()
    affinity_LTT[:, 2, 2] = affinity_LTT[:, 1, 2] = affinity_LTT[:, 2, 1] = affinity_LTT[:, 1, 1]
    unlike_LTT = unlikeness(affinity_LTT)
    assert torch.equal(unlike_LTT, unlike_LTT.mT)
    assert torch.equal(unlike_LTT.diagonal(dim1=1, dim2=2), torch.zeros(2, 3, dtype=torch.float64))
    torch.testing.assert_close(unlike_LTT[:, 1, 2], torch.zeros(2, dtype=torch.float64), rtol=0.0, atol=1e-12)


@given(st.integers(0, 1000), st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=2, max_size=2))
def test_the_programme_sums_what_tasks_lose_to_the_mean_of_their_group(seed, choices):
    """With the factor 2 / T it is the mean over the tasks of a(t, t) minus the mean of a(t, s) over the group."""
    (affinity_LTT,) = affinities(seed)
    tree = BranchTree.from_choices("abc", choices)
    lost = 0.0
    for l, partition in enumerate(tree.partitions):
        for group in partition:
            rows = ["abc".index(task) for task in group]
            lost += sum((affinity_LTT[l, t, t] - affinity_LTT[l, t, rows].mean()).item() for t in rows) / 3
    assert value_of(tree, (2.0 / 3.0 * unlikeness(affinity_LTT)).numpy()) == pytest.approx(lost, rel=1e-9, abs=1e-9)


def test_means_and_errors_are_those_of_the_steps():
    steps_NLTT = affinities(0, count=7)
    means = PairMeans(2, 3)
    for affinity_LTT in steps_NLTT:
        means.add(affinity_LTT)
    unlike_NLTT = torch.stack([unlikeness(each) for each in steps_NLTT])
    torch.testing.assert_close(means.affinity_LTT, steps_NLTT.mean(0))
    torch.testing.assert_close(means.unlike_LTT, unlike_NLTT.mean(0))
    torch.testing.assert_close(means.error_LTT, unlike_NLTT.std(0) / math.sqrt(7))


def test_a_step_without_labels_of_a_task_says_nothing_of_its_pairs():
    steps_NLTT = affinities(0, count=4)
    means, fewer = PairMeans(2, 3), PairMeans(2, 3)
    for n, affinity_LTT in enumerate(steps_NLTT):
        lacking_LTT = affinity_LTT.clone()
        if n >= 3:
            lacking_LTT[:, 0] = lacking_LTT[:, :, 0] = math.nan
        else:
            fewer.add(affinity_LTT)
        means.add(lacking_LTT)
    assert means.count_LTT[0].tolist() == [[3, 3, 3], [3, 4, 4], [3, 4, 4]]
    assert torch.equal(means.unlike_LTT[:, 0], fewer.unlike_LTT[:, 0])
    assert means.error_LTT.isfinite().all()


def test_few_steps_have_no_error():
    means = PairMeans(1, 2)
    assert means.error_LTT is None
    means.add(affinities(0, num_blocks=1, num_tasks=2)[0])
    assert means.error_LTT is None


def test_sums_are_stored_and_those_of_other_tasks_refused():
    means, again = PairMeans(2, 3), PairMeans(2, 3)
    means.add(affinities(0)[0])
    again.load_state_dict(means.state_dict())
    again.add(affinities(1)[0])
    means.add(affinities(1)[0])
    assert torch.equal(again.unlike_LTT, means.unlike_LTT)
    with pytest.raises(ValueError, match=r"has the shape \[2, 3, 3\], here it is \[2, 2, 2\]"):
        PairMeans(2, 2).load_state_dict(means.state_dict())
