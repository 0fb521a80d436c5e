import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import IN_FEATURES, VectorBackbone, names, toy_tasks
from tree_strategies import trees

from nas.errors import InputError
from nas.networks.branched import BranchedNetwork, sub_network
from nas.tree import BranchTree

TASKS = toy_tasks(5)


@settings(deadline=None, max_examples=30)
@given(trees(tasks=names(TASKS)), st.lists(st.sampled_from(TASKS), min_size=1, unique_by=lambda task: task.name))
def test_a_sub_networks_outputs_are_the_whole_networks(tree, kept):
    network = BranchedNetwork(VectorBackbone(len(tree.partitions)), TASKS, tree).eval()
    some = sub_network(network, kept).eval()
    inputs = torch.randn(4, IN_FEATURES, generator=torch.Generator().manual_seed(0))
    outputs, expected = some(inputs), network(inputs)
    assert list(outputs) == [task.name for task in kept]
    for name in outputs:
        # Rows may be multiplied by another kernel once the batch of a matrix product changes; here nothing changes.
        assert torch.equal(outputs[name], expected[name])
    assert some.tree == tree.restricted_to(list(outputs))
    assert tuple(len(instances) for instances in some.blocks) == some.tree.num_groups
    whole = {id(parameter) for parameter in network.parameters()}
    assert {id(parameter) for parameter in some.parameters()} <= whole, "parts are not copied"


def test_tasks_that_cannot_be_kept_are_refused():
    tree = BranchTree.shared(names(TASKS[:2]), 2)
    network = BranchedNetwork(VectorBackbone(2), TASKS[:2], tree)
    with pytest.raises(InputError, match="at least one task; the network has t0, t1"):
        sub_network(network, ())
    with pytest.raises(InputError, match="no task 't4'"):
        sub_network(network, (TASKS[0], TASKS[4]))
    with pytest.raises(InputError, match="t0"):
        sub_network(network, (TASKS[0], TASKS[0]))
