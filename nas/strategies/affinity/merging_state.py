"""What changes while `BottomUp` trains: the networks of all tasks, and the tree that says which blocks they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from nas.engine.loop import LoopState, explaining_checkpoint
from nas.networks.supernet import Supernet
from nas.networks.supernet.routing import one_hot_routing
from nas.strategies.affinity.merging import Merge
from nas.strategies.affinity.merging_record import MergingRecord
from nas.tasks.epoch_losses import MeanLosses
from nas.tree import BranchTree


class MergingEpoch(TypedDict):
    """One epoch, as ``metrics.jsonl`` has it; the merges are those before it."""

    epoch: int
    phase: str
    weights: MeanLosses
    merges: list[dict[str, Any]]


@dataclass
class MergingState(LoopState[MergingEpoch]):
    """The networks as a supernet with one candidate for each task, their optimiser, the merges and the tree so far.

    A group's block is the candidate of its first task; the candidates of the others are not used.
    """

    networks: Supernet
    optimizer: torch.optim.Optimizer
    merging: MergingRecord
    tree: BranchTree

    def run(self, inputs: Tensor, tasks: Sequence[str] | None = None) -> dict[str, Tensor]:
        """The outputs of the tasks (all, or those named), each by its groups' blocks."""
        outputs: dict[str, Tensor] = self.networks(inputs, routing_of_tree(self.tree, self.networks), tasks)
        return outputs

    def record(self) -> dict[str, Any]:
        return {
            "tasks": list(self.networks.task_names),
            "supernet": self.networks.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "merging": self.merging.model_dump(),
            **self.progress(),
        }

    def load(self, record: Mapping[str, Any], where: str) -> None:
        with explaining_checkpoint("this merging search", where):
            # The candidates have the order of the tasks, and the names of the weights do not show it.
            if list(record["tasks"]) != list(self.networks.task_names):
                raise ValueError(f"its tasks are {record['tasks']}, here they are {list(self.networks.task_names)}")
            self.networks.load_state_dict(record["supernet"])
            self.optimizer.load_state_dict(record["optimizer"])
            self.merging = MergingRecord.model_validate(record["merging"])
            self.tree = self.merging.trees()[-1]
            self.load_progress(record)


def routing_of_tree(tree: BranchTree, networks: Supernet) -> Tensor:
    """The routing in which a group uses the candidate of its first task, [L, T, C]."""
    return one_hot_routing(_candidates(tree), networks.num_candidates)


def average_candidates(networks: Supernet, merge: Merge) -> None:
    """Give the block of the merged group the mean of both groups' weights and statistics, weighted by their tasks."""
    names, instances, first, second = networks.task_names, networks.blocks[merge.block], merge.first, merge.second
    assert isinstance(instances, nn.ModuleList)
    one, other = (instances[names.index(group[0])].state_dict() for group in (first, second))
    share = len(second) / (len(first) + len(second))
    kept = instances[min(names.index(task) for task in (first[0], second[0]))]
    mean = {
        # Counters of batches are whole numbers.
        name: torch.lerp(value, other[name], share) if value.is_floating_point() else value.clone()
        for name, value in one.items()
    }
    kept.load_state_dict(mean)


def _candidates(tree: BranchTree) -> list[list[int]]:
    """For each block and task, the index of the first task of its group."""
    first = [
        {task: tree.tasks.index(group[0]) for group in partition for task in group} for partition in tree.partitions
    ]
    return [[row[task] for task in tree.tasks] for row in first]


def spread_candidates(networks: Supernet, tree: BranchTree) -> None:
    """Copy each group's block to the candidates of all its tasks, since features are those of own candidates."""
    for instances, row in zip(networks.blocks, _candidates(tree), strict=True):
        assert isinstance(instances, nn.ModuleList)
        for t, c in enumerate(row):
            if t != c:
                instances[t].load_state_dict(instances[c].state_dict())
