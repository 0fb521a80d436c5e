"""The part of a branched network that serves some of its tasks."""

from collections.abc import Sequence

from torch import nn

from nas.errors import InputError
from nas.networks.branched.branched import BranchedNetwork
from nas.tasks.task import Task
from nas.tree import BranchTree


def sub_network(network: BranchedNetwork, tasks: Sequence[Task]) -> BranchedNetwork:
    """The network of `BranchTree.restricted_to`, which shares its modules with the whole network; nothing is copied.

    Args:
        network: a network for at least these tasks.
        tasks: tasks to keep; outputs are in this order.

    Raises:
        InputError: no task is named, one is named twice, or the network lacks one.
    """
    if not tasks:
        raise InputError(f"name at least one task; the network has {', '.join(network.tree.tasks)}")
    tree = network.tree.restricted_to([task.name for task in tasks])
    return BranchedNetwork(_Parts(network, tree), tasks, tree)


class _Parts:
    """A backbone that returns a network's existing parts, in the order in which `BranchedNetwork` makes them."""

    def __init__(self, network: BranchedNetwork, tree: BranchTree) -> None:
        self.num_blocks = len(tree.partitions)
        self.taps = network.taps
        self._network = network
        choices_LT, tasks = network.tree.choices_LT, network.tree.tasks
        self._instances = [
            iter([choices_LT[l][tasks.index(group[0])] for group in partition])
            for l, partition in enumerate(tree.partitions)
        ]

    def make_stem(self) -> nn.Module:
        return self._network.stem

    def make_block(self, l: int) -> nn.Module:
        instances = self._network.blocks[l]
        assert isinstance(instances, nn.ModuleList)
        return instances[next(self._instances[l])]

    def make_head(self, task: Task) -> nn.Module:
        return self._network.heads[task.name]
