"""The training of `BottomUp`: networks of single tasks whose blocks are merged while they train."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from nas.data import Batch, derive_seed
from nas.engine.loop import LoopState, explaining_checkpoint, resume, run_epochs, seeded
from nas.engine.optimizer import set_learning_rate
from nas.errors import as_input_errors
from nas.networks.backbone import explaining_in_place_errors
from nas.networks.supernet import Supernet
from nas.networks.supernet.routing import one_hot_routing
from nas.strategies.affinity.merging import Floats, best_merge, finest_tree, tree_within
from nas.strategies.affinity.merging_record import MergeStep, MergingRecord
from nas.strategies.affinity.merging_settings import MergingSettings
from nas.strategies.affinity.training_data import batches_of, steps_of, training_set
from nas.strategies.protocol import FirstSteps, Problem, state_bytes
from nas.strategies.similarity.channels import channel_dims
from nas.strategies.similarity.features import features_by_block
from nas.strategies.similarity.measures import dissimilarity
from nas.strategies.transfer.spending import limits_of
from nas.tasks import task_losses
from nas.tasks.epoch_losses import EpochLosses, MeanLosses, mean_of
from nas.tree import BranchTree


class MergingEpoch(TypedDict):
    """One epoch, as ``metrics.jsonl`` has it; the merges are those before it."""

    epoch: int
    phase: str
    weights: MeanLosses
    merges: list[dict[str, Any]]


@dataclass
class MergingState(LoopState[MergingEpoch]):
    """The networks as a supernet with one candidate for each task, their optimiser, and the tree so far.

    A group's block is the candidate of its first task; the candidates of the others are not used.
    """

    networks: Supernet
    optimizer: torch.optim.Optimizer
    record_so_far: MergingRecord

    @property
    def tree(self) -> BranchTree:
        """The tree after all merges."""
        return self.record_so_far.trees()[-1]

    def record(self) -> dict[str, Any]:
        return {
            "tasks": list(self.networks.task_names),
            "supernet": self.networks.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "merging": self.record_so_far.model_dump(),
            **self.progress(),
        }

    def load(self, record: Mapping[str, Any], where: str) -> None:
        with explaining_checkpoint("this merging search", where):
            # The candidates have the order of the tasks, and the names of the weights do not show it.
            if list(record["tasks"]) != list(self.networks.task_names):
                raise ValueError(f"its tasks are {record['tasks']}, here they are {list(self.networks.task_names)}")
            self.networks.load_state_dict(record["supernet"])
            self.optimizer.load_state_dict(record["optimizer"])
            self.record_so_far = MergingRecord.model_validate(record["merging"])
            self.load_progress(record)


@dataclass(eq=False)
class MergingTraining:
    """Everything that stays the same during the training."""

    problem: Problem
    settings: MergingSettings

    def __post_init__(self) -> None:
        self._set = training_set(self.problem, self.settings.splits)
        self._seed = derive_seed(self.problem.seed, "bottom up")
        self.num_steps = steps_of(self._set, self.settings.batch_size)
        problem = self.problem
        self.limit = min(limit for _, limit in limits_of(problem))
        self.first_tree = finest_tree(problem.task_names, problem.table, problem.goal.constraints)

    def start(self) -> MergingState:
        """The state before the first epoch: equal weights for all tasks, so that averages of them make sense."""
        problem = self.problem
        with seeded(self._seed):
            networks = Supernet(problem.backbone, problem.tasks, equal_start=True)
        networks.to(problem.device)
        # Needed only at the first merge, but errors should come before the training.
        networks.channel_dims = channel_dims(networks, self._set[0][0][None].to(problem.device))
        record = MergingRecord(
            tasks=problem.task_names,
            blocks=problem.table.block_names,
            start=self.first_tree.partitions,
            merges=(),
        )
        return MergingState(networks, self.settings.weights.make(networks.parameters()), record)

    def run(self) -> MergingState:
        """Train and merge from the last checkpoint to the end."""
        problem, state = self.problem, self.start()
        resume(state, problem.store.checkpoints)
        run_epochs(
            *(state, self.settings.epochs, self.train_epoch, problem.store.checkpoints),
            lambda _: problem.on_epoch(state.history),
        )
        return state

    def train_epoch(self, state: MergingState, epoch: int) -> MergingEpoch:
        """Merge what the epoch's limit asks for, then one pass over the splits."""
        tasks, settings = self.problem.tasks, self.settings
        losses = EpochLosses(tasks, epoch, lambda: self._batches(epoch))
        with seeded(derive_seed(self._seed, epoch), self.problem.device):
            merges = self._merge(state, epoch)
            state.networks.train()
            for step, batch in enumerate(self._batches(epoch)):
                progress = (epoch + step / self.num_steps) / settings.epochs
                set_learning_rate(state.optimizer, settings.schedule.factor(min(progress, 1.0)))
                losses.add(self.step(state, batch))
        means = {name: mean_of(steps) for name, steps in sorted(losses.by_task().items())}
        total = sum(task.weight * means.get(task.name, 0.0) for task in tasks)
        phase = f"tree with {sum(state.tree.num_groups)} blocks"
        told = [step.model_dump() for step in merges]
        return {"epoch": epoch, "phase": phase, "weights": {"total": total, "tasks": means}, "merges": told}

    def step(self, state: MergingState, batch: Batch) -> dict[str, Tensor]:
        """Update the networks on one batch, except heads and own blocks of tasks without labels in it."""
        tasks = [task for task in self.problem.tasks if len(batch.labels.get(task.name, ()))]
        if not tasks:
            return {}
        names = [task.name for task in tasks]
        with as_input_errors(f"the backbone does not run on inputs of shape {list(batch.inputs.shape)}"):
            outputs = state.networks(batch.inputs, routing_of_tree(state.tree, state.networks), names)
        losses = task_losses(tasks, outputs, batch)
        state.optimizer.zero_grad(set_to_none=True)
        with explaining_in_place_errors():
            torch.stack([task.weight * losses[task.name] for task in tasks]).sum().backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def first_steps(self) -> FirstSteps:
        """The losses of one step, and the predicted time of the training if nothing were merged."""
        state, batch = self.start(), next(self._batches(0))
        state.networks.train()
        # The first step includes allocations and the choice of algorithms, so only the second is timed.
        for _ in range(2):
            started = time.perf_counter()
            losses = self.step(state, batch)
        seconds = self.settings.epochs * self.num_steps * (time.perf_counter() - started)
        return FirstSteps({name: loss.item() for name, loss in losses.items()}, seconds, state_bytes(state.networks))

    def _merge(self, state: MergingState, epoch: int) -> list[MergeStep]:
        """The merges before an epoch: the limit falls linearly from the first tree's cost to the smallest budget."""
        settings, table, goal = self.settings, self.problem.table, self.problem.goal
        if epoch < settings.warmup:
            return []
        last = epoch == settings.epochs - 1
        rest = 1.0 - (epoch + 1 - settings.warmup) / (settings.epochs - settings.warmup)
        highest = table.tree_cost(self.first_tree)[goal.resource]
        limit = self.limit if last else self.limit + rest * max(0.0, highest - self.limit)
        tree, merges, unlike_LTT = state.tree, list[MergeStep](), None

        def done() -> bool:
            if last:
                return tree_within([tree], table, goal, limit) is not None
            return bool(table.tree_cost(tree)[goal.resource] <= limit)

        while not done():
            unlike_LTT = self._unlikeness(state) if unlike_LTT is None else unlike_LTT
            merge, unlike = best_merge(tree, unlike_LTT, table, goal, self.limit)
            average_candidates(state.networks, merge.block, merge.first, merge.second)
            tree = merge.of(tree)
            merges.append(MergeStep(block=merge.block, first=merge.first, second=merge.second, unlike=unlike))
        so_far = state.record_so_far
        state.record_so_far = so_far.model_copy(update={"merges": (*so_far.merges, *merges)})
        return merges

    def _unlikeness(self, state: MergingState) -> Floats:
        """1 - CKA of the features of any two tasks after each block, [L, T, T]."""
        _spread(state.networks, state.tree)
        settings, seed = self.settings, derive_seed(self._seed, "features")

        def inputs() -> Iterable[Tensor]:
            # Data sets that draw from torch's global generator give the same samples again.
            torch.manual_seed(seed)
            found = batches_of(self.problem, self._set, settings.batch_size, seed=seed, epoch=0, drop_last=False)
            return (batch.inputs for batch in found)

        blocks = features_by_block(state.networks, inputs, len(self._set), settings.num_rows, seed=seed)
        return np.stack([dissimilarity(features_CNW, "cka") for features_CNW in blocks])

    def _batches(self, epoch: int) -> Iterator[Batch]:
        return batches_of(self.problem, self._set, self.settings.batch_size, seed=self._seed, epoch=epoch)


def routing_of_tree(tree: BranchTree, networks: Supernet) -> Tensor:
    """The routing in which a group uses the candidate of its first task, [L, T, C]."""
    return one_hot_routing(_candidates(tree), networks.num_candidates)


def average_candidates(networks: Supernet, block: int, first: tuple[str, ...], second: tuple[str, ...]) -> None:
    """Give the block of the merged group the mean of both groups' weights and statistics, weighted by their tasks."""
    names, instances = networks.task_names, networks.blocks[block]
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


def _spread(networks: Supernet, tree: BranchTree) -> None:
    """Copy each group's block to the candidates of all its tasks, since features are those of own candidates."""
    for instances, row in zip(networks.blocks, _candidates(tree), strict=True):
        assert isinstance(instances, nn.ModuleList)
        for t, c in enumerate(row):
            if t != c:
                instances[t].load_state_dict(instances[c].state_dict())
