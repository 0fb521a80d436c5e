import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import VectorBackbone, names, seeded, toy_tasks

from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import Supernet, one_hot_routing
from nas.strategies.inherit import assign_candidates, inherit_weights
from nas.tree import BranchTree


@st.composite
def choice_matrices(draw):
    num_tasks, num_candidates = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    row = st.lists(st.integers(0, num_candidates - 1), min_size=num_tasks, max_size=num_tasks)
    return num_candidates, draw(st.lists(row, min_size=1, max_size=4))


def group_choices(tree, choices, tasks):
    return [[choices[l][tasks.index(group[0])] for group in partition] for l, partition in enumerate(tree.partitions)]


@settings(deadline=None)
@given(choice_matrices(), st.integers(0, 99))
def test_sharp_logits_give_the_argmax_choices(case, seed):
    num_candidates, choices = case
    tasks = names(toy_tasks(len(choices[0])))
    tree = BranchTree.from_choices(tasks, choices)
    noise_LTC = torch.rand(len(choices), len(tasks), num_candidates, generator=torch.Generator().manual_seed(seed))
    logits_LTC = 100.0 * one_hot_routing(choices, num_candidates) + noise_LTC
    assert assign_candidates(tree, tasks, logits_LTC) == group_choices(tree, choices, tasks)


@settings(deadline=None)
@given(choice_matrices(), st.integers(0, 99))
def test_siblings_take_different_candidates_while_there_are_enough(case, seed):
    num_candidates, choices = case
    tasks = names(toy_tasks(len(choices[0])))
    tree = BranchTree.from_choices(tasks, choices)
    # Logits that know nothing of the tree.
    logits_LTC = torch.randn(len(choices), len(tasks), num_candidates, generator=torch.Generator().manual_seed(seed))
    assigned = assign_candidates(tree, tasks, logits_LTC)
    for l, (partition, row) in enumerate(zip(tree.partitions, assigned, strict=True)):
        siblings = {}
        for group, candidate in zip(partition, row, strict=True):
            siblings.setdefault(tree.parent_group(l, group), []).append(candidate)
        for candidates in siblings.values():
            assert len(candidates) > num_candidates or len(set(candidates)) == len(candidates)


def test_the_best_assignment_is_of_the_largest_sum():
    tree = BranchTree.separate(("t0", "t1"), 1)
    # Both prefer candidate 0, t1 by more: log-probabilities 0 : -1 and 0 : -3, up to a constant each.
    logits_LTC = torch.tensor([[[1.0, 0.0], [3.0, 0.0]]])
    assert assign_candidates(tree, ("t0", "t1"), logits_LTC) == [[1, 0]]


def test_a_group_takes_what_its_tasks_prefer_together():
    tree = BranchTree.shared(("t0", "t1", "t2"), 1)
    logits_LTC = torch.tensor([[[2.0, 1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 1.0, -9.0]]])
    # Sums of log-probabilities, with log(e^2 + e + 1) = 2.41 and log(1 + e + e^-9) = 1.31: -2.13, -3.13, -15.
    assert assign_candidates(tree, ("t0", "t1", "t2"), logits_LTC) == [[0]]
    assert assign_candidates(tree, ("t0", "t1", "t2"), 3 * logits_LTC) == [[0]]
    logits_LTC[0, 2, 0] = -4.0
    assert assign_candidates(tree, ("t0", "t1", "t2"), logits_LTC) == [[1]]


def test_more_siblings_than_candidates_each_take_their_own_preference():
    tree = BranchTree.separate(("t0", "t1", "t2"), 1)
    logits_LTC = torch.tensor([[[1.0, 0.0], [3.0, 0.0], [0.0, 0.5]]])
    assert assign_candidates(tree, ("t0", "t1", "t2"), logits_LTC) == [[0, 0, 1]]


def test_tasks_of_the_tree_are_found_by_name():
    tree = BranchTree.separate(("t2", "t0"), 1)
    logits_LTC = torch.tensor([[[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]]])
    assert assign_candidates(tree, ("t0", "t1", "t2"), logits_LTC) == [[2, 0]]


def test_cousins_may_take_the_same_candidate():
    choices = [[0, 1], [1, 1]]
    tree = BranchTree.from_choices(("t0", "t1"), choices)
    assert assign_candidates(tree, ("t0", "t1"), 9 * one_hot_routing(choices, 2)) == [[0, 1], [1, 1]]


@pytest.mark.parametrize("affine", [True, False])
def test_weights_and_statistics_are_copied(affine):
    tasks, choices = toy_tasks(3), [[0, 0, 1], [1, 2, 1]]
    supernet = seeded(lambda: Supernet(VectorBackbone(2), tasks, 3, equal_start=False, affine_last_norm=affine))
    for norm in (module for module in supernet.modules() if isinstance(module, torch.nn.BatchNorm1d)):
        norm.running_mean.fill_(3.0)
    tree = BranchTree.from_choices(names(tasks), choices)
    # Another order of tasks, to find heads by name.
    network = BranchedNetwork(VectorBackbone(2), tasks[::-1], tree)
    for norm in (instance[1] for instances in network.blocks for instance in instances):
        torch.nn.init.constant_(norm.weight, 7.0)
        torch.nn.init.constant_(norm.bias, 7.0)
    inherit_weights(network, supernet, 50 * one_hot_routing(choices, 3))
    assert torch.equal(network.stem[0].weight, supernet.stem[0].weight)
    assert torch.equal(network.heads["t1"].linear.weight, supernet.heads["t1"].linear.weight)
    for l, row in enumerate(group_choices(tree, choices, names(tasks))):
        for instance, choice in zip(network.blocks[l], row, strict=True):
            assert torch.equal(instance[0].weight, supernet.blocks[l][choice][0].weight)
            assert torch.all(instance[1].running_mean == 3)
            if not affine:
                assert torch.all(instance[1].weight == 1)
                assert torch.all(instance[1].bias == 0)


def test_inherited_weights_are_copies():
    tasks = toy_tasks(2)
    supernet = Supernet(VectorBackbone(2), tasks)
    network = BranchedNetwork(VectorBackbone(2), tasks, BranchTree.shared(names(tasks), 2))
    inherit_weights(network, supernet, torch.zeros(2, 2, 2))
    before = supernet.stem[0].weight.clone()
    with torch.no_grad():
        network.stem[0].weight.add_(1.0)
    assert torch.equal(supernet.stem[0].weight, before)
