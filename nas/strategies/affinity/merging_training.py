"""The training of `BottomUp`: networks of single tasks whose blocks are merged while they train."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nas.data import Batch, derive_seed
from nas.engine.loop import resume, run_epochs, seeded
from nas.engine.optimizer import set_learning_rate
from nas.errors import as_input_errors
from nas.networks.backbone import explaining_in_place_errors
from nas.networks.supernet import Supernet
from nas.strategies.affinity.merging import Floats, best_merge, finest_tree, tree_within
from nas.strategies.affinity.merging_record import MergeStep, MergingRecord
from nas.strategies.affinity.merging_settings import MergingSettings
from nas.strategies.affinity.merging_state import MergingEpoch, MergingState, average_candidates, spread_candidates
from nas.strategies.affinity.training_data import batches_of, steps_of, training_set
from nas.strategies.protocol import FirstSteps, Problem, state_bytes
from nas.strategies.similarity.channels import channel_dims
from nas.strategies.similarity.features import features_by_block
from nas.strategies.similarity.measures import dissimilarity
from nas.strategies.transfer.spending import limits_of
from nas.tasks import task_losses
from nas.tasks.epoch_losses import EpochLosses, mean_of


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
        self.limit = min(limit for _, limit in limits_of(problem.task_names, problem.table, problem.goal))
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
        optimizer = self.settings.weights.make(networks.parameters())
        return MergingState(networks, optimizer, record, self.first_tree)

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
            merges = self.merge(state, epoch)
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
            outputs = state.run(batch.inputs, names)
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

    def merge(self, state: MergingState, epoch: int) -> list[MergeStep]:
        """Make the merges that an epoch's limit asks for, before the epoch.

        The limit falls linearly from the first tree's cost, at the end of the warm-up, to the smallest budget.
        """
        settings, table, goal = self.settings, self.problem.table, self.problem.goal
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
            unlike_LTT = self.unlikeness(state) if unlike_LTT is None else unlike_LTT
            merge, unlike = best_merge(tree, unlike_LTT, table, goal, self.limit)
            average_candidates(state.networks, merge)
            tree = merge.of(tree)
            merges.append(MergeStep(block=merge.block, first=merge.first, second=merge.second, unlike=unlike))
        state.merging = state.merging.model_copy(update={"merges": (*state.merging.merges, *merges)})
        state.tree = tree
        return merges

    def unlikeness(self, state: MergingState) -> Floats:
        """1 - CKA of the features of any two tasks after each block, [L, T, T]."""
        spread_candidates(state.networks, state.tree)
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
