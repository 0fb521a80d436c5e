"""Trains the fully shared network for a few epochs, and measures some of its steps."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, TypedDict

import torch
from torch import Tensor

from nas.data import Batch, derive_seed
from nas.engine.loop import LoopState, explaining_checkpoint, resume, run_epochs, seeded
from nas.engine.optimizer import set_learning_rate
from nas.errors import InputError
from nas.networks.backbone import explaining_in_place_errors
from nas.networks.branched import BranchedNetwork
from nas.strategies.affinity.measuring import leaving_no_trace, weighted_losses
from nas.strategies.affinity.pair_means import PairMeans
from nas.strategies.affinity.shared_settings import SharedNetworkSettings
from nas.strategies.affinity.training_data import batches_of, steps_of, training_set
from nas.strategies.protocol import FirstSteps, Problem, state_bytes
from nas.tasks.epoch_losses import EpochLosses, MeanLosses, mean_of
from nas.tree import BranchTree

Measure = Callable[[BranchedNetwork, Batch], Tensor]
"""From the network and a batch to affinities [L, T, T], NaN where a task has no labels."""


class SharedEpoch(TypedDict):
    """One epoch, as ``metrics.jsonl`` has it."""

    epoch: int
    phase: Literal["shared network"]
    weights: MeanLosses


@dataclass
class SharedState(LoopState[SharedEpoch]):
    """The network, its optimiser, and what was measured so far."""

    network: BranchedNetwork
    optimizer: torch.optim.Optimizer
    means: PairMeans

    def record(self) -> dict[str, Any]:
        return {
            "tasks": list(self.network.tree.tasks),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "means": self.means.state_dict(),
            **self.progress(),
        }

    def load(self, record: Mapping[str, Any], where: str) -> None:
        with explaining_checkpoint("this shared network", where):
            # The sums have the order of the tasks.
            if list(record["tasks"]) != list(self.network.tree.tasks):
                raise ValueError(f"its tasks are {record['tasks']}, here they are {list(self.network.tree.tasks)}")
            self.network.load_state_dict(record["network"])
            self.optimizer.load_state_dict(record["optimizer"])
            self.means.load_state_dict(record["means"])
            self.load_progress(record)


@dataclass(eq=False)
class SharedTraining:
    """Everything that stays the same during the training.

    All random numbers of an epoch depend on the seed and the epoch alone, and measuring leaves no trace in the network:
    a resumed training gives the same bits, and a training that is measured more often has the same weights.
    """

    problem: Problem
    settings: SharedNetworkSettings
    measure: Measure

    def __post_init__(self) -> None:
        self._set = training_set(self.problem, self.settings.splits)
        self._seed = derive_seed(self.problem.seed, "shared network")
        self.num_steps = steps_of(self._set, self.settings.batch_size)

    @property
    def tree(self) -> BranchTree:
        """The fully shared tree."""
        return BranchTree.shared(self.problem.task_names, len(self.problem.table.blocks))

    @property
    def measured_share(self) -> float:
        """The share of the steps that are measured."""
        return -(-self.num_steps // self.settings.every) / self.num_steps

    def start(self) -> SharedState:
        """The state before the first epoch; the seed decides the weights."""
        problem = self.problem
        with seeded(self._seed):
            network = BranchedNetwork(problem.backbone, problem.tasks, self.tree)
        network.to(problem.device)
        means = PairMeans(problem.backbone.num_blocks, len(problem.tasks))
        return SharedState(network, self.settings.weights.make(network.parameters()), means)

    def run(self) -> SharedState:
        """Train from the last checkpoint to the end.

        Raises:
            InputError: two tasks never had labels in one measured batch.
        """
        problem, state = self.problem, self.start()
        resume(state, problem.store.checkpoints)
        run_epochs(
            *(state, self.settings.epochs, self.train_epoch, problem.store.checkpoints),
            lambda _: problem.on_epoch(state.history),
        )
        unseen = [pair for pair in combinations(range(len(problem.tasks)), 2) if not state.means.count_LTT[0, *pair]]
        if unseen:
            s, t = (problem.task_names[i] for i in unseen[0])
            raise InputError(
                f"tasks {s} and {t} never had labels in both halves of a measured batch, so nothing is known of them; "
                "raise strategy.batch_size or strategy.epochs, or lower strategy.every"
            )
        return state

    def train_epoch(self, state: SharedState, epoch: int) -> SharedEpoch:
        """One pass over the splits."""
        tasks, device = self.problem.tasks, self.problem.device
        losses = EpochLosses(tasks, epoch, lambda: self._batches(epoch))
        with seeded(derive_seed(self._seed, epoch), device):
            state.network.train()
            for step, batch in enumerate(self._batches(epoch)):
                progress = (epoch + step / self.num_steps) / self.settings.epochs
                set_learning_rate(state.optimizer, self.settings.schedule.factor(min(progress, 1.0)))
                if step % self.settings.every == 0:
                    self.measure_step(state, batch)
                losses.add(self.step(state, batch))
        means = {name: mean_of(steps) for name, steps in sorted(losses.by_task().items())}
        total = sum(task.weight * means.get(task.name, 0.0) for task in tasks)
        return {"epoch": epoch, "phase": "shared network", "weights": {"total": total, "tasks": means}}

    def measure_step(self, state: SharedState, batch: Batch) -> None:
        """Add what a batch says to the means."""
        with leaving_no_trace(state.network, self.problem.device), explaining_in_place_errors():
            state.means.add(self.measure(state.network, batch))

    def step(self, state: SharedState, batch: Batch) -> dict[str, Tensor]:
        """Update the network on one batch; returns detached, unweighted losses by task."""
        weighted = weighted_losses(state.network, self.problem.tasks, batch)
        if not weighted:
            return {}
        state.optimizer.zero_grad(set_to_none=True)
        with explaining_in_place_errors():
            torch.stack(list(weighted.values())).sum().backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        weights = {task.name: task.weight for task in self.problem.tasks}
        return {name: loss.detach() / weights[name] for name, loss in weighted.items()}

    def first_steps(self) -> FirstSteps:
        """The losses of one step, and the predicted time of the training with what is measured in it."""
        state, batch = self.start(), next(self._batches(0))
        state.network.train()
        # The first calls include allocations and the choice of algorithms, so only the second ones are timed.
        for _ in range(2):
            started = time.perf_counter()
            losses = self.step(state, batch)
            stepped = time.perf_counter()
            self.measure_step(state, batch)
            measured = time.perf_counter()
        steps = self.settings.epochs * self.num_steps
        seconds = steps * (stepped - started + self.measured_share * (measured - stepped))
        return FirstSteps({name: loss.item() for name, loss in losses.items()}, seconds, state_bytes(state.network))

    def _batches(self, epoch: int) -> Iterator[Batch]:
        return batches_of(self.problem, self._set, self.settings.batch_size, seed=self._seed, epoch=epoch)
