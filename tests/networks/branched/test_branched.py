import pytest
import torch
from hypothesis import given, settings
from toys import IN_FEATURES, VectorBackbone, names, seeded, toy_tasks
from tree_strategies import trees

from nas.errors import InputError
from nas.networks.branched import BranchedNetwork, check_fits
from nas.tree import BranchTree

TASKS = toy_tasks(4)
TREE = BranchTree.from_choices(names(TASKS), [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 2, 0]])


def inputs():
    return torch.randn(8, IN_FEATURES, generator=torch.Generator().manual_seed(0))


@settings(deadline=None, max_examples=30)
@given(trees(tasks=names(toy_tasks(5))))
def test_every_group_has_its_own_instance(tree):
    network = BranchedNetwork(VectorBackbone(len(tree.partitions)), toy_tasks(5), tree)
    assert tuple(len(instances) for instances in network.blocks) == tree.num_groups
    assert set(network.heads) == set(tree.tasks)
    assert len({id(instance) for instances in network.blocks for instance in instances}) == sum(tree.num_groups)


def test_tasks_share_what_their_groups_share_and_nothing_else():
    network = BranchedNetwork(VectorBackbone(3), TASKS, TREE)
    for task in names(TASKS):
        network.zero_grad(set_to_none=True)
        network(inputs())[task].sum().backward()
        used = {
            (l, group)
            for l, (partition, instances) in enumerate(zip(TREE.partitions, network.blocks, strict=True))
            for group, instance in zip(partition, instances, strict=True)
            if instance[0].weight.grad is not None
        }
        assert used == {
            (l, group) for l, partition in enumerate(TREE.partitions) for group in partition if task in group
        }
        assert network.stem[0].weight.grad is not None
        assert [name for name, head in network.heads.items() if head.linear.weight.grad is not None] == [task]


def test_named_tasks_run_what_they_need():
    network = BranchedNetwork(VectorBackbone(3), TASKS, TREE).eval()
    outputs = network(inputs())
    calls = []
    for l, instances in enumerate(network.blocks):
        for i, instance in enumerate(instances):
            instance.register_forward_hook(lambda *_, key=(l, i): calls.append(key))
    some = network(inputs(), ["t3", "t1"])
    assert list(some) == ["t3", "t1"]
    torch.testing.assert_close(some, {name: outputs[name] for name in some}, rtol=0, atol=0)
    assert sorted(calls) == [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)]


def test_outputs_are_in_the_trees_order_whatever_the_order_of_the_tasks():
    network = BranchedNetwork(VectorBackbone(3), TASKS[::-1], TREE)
    assert list(network(inputs())) == list(TREE.tasks)


def test_a_tree_of_some_of_the_tasks():
    network = BranchedNetwork(VectorBackbone(3), TASKS, TREE.restricted_to(["t2", "t0"]))
    assert {name: output.shape[1] for name, output in network(inputs()).items()} == {"t2": 3, "t0": 3}


def test_a_seed_gives_the_weights():
    first, again = (seeded(lambda: BranchedNetwork(VectorBackbone(3), TASKS, TREE), 3) for _ in range(2))
    torch.testing.assert_close(first.state_dict(), again.state_dict(), rtol=0, atol=0)


def test_a_tree_of_another_depth_is_refused():
    with pytest.raises(InputError, match="the tree has 3 blocks, the backbone 2"):
        BranchedNetwork(VectorBackbone(2), TASKS, TREE)


def test_a_tree_of_other_tasks_is_refused():
    with pytest.raises(InputError, match=r"\['t2', 't3'\] that the recipe does not"):
        check_fits(TREE, 3, ("t0", "t1"))
    check_fits(TREE, 3, ("t3", "t1", "t2", "t0", "other"))
