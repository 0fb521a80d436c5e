"""The bilevel search: passes over two splits in turn, with a checkpoint after every epoch."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nas.cost import expected_cost, resolve_budget
from nas.data import Batch, DataSource, SplitName, batches, derive_seed
from nas.engine import SINGLE_PROCESS, Ranks
from nas.engine.checkpoint import CheckpointFolder
from nas.errors import WorkFailed
from nas.networks.supernet import Supernet, own_copy_routing, reset_running_statistics, sample_routing
from nas.strategies.gradient.diagnostics import describe_logits
from nas.strategies.gradient.settings import GradientSettings
from nas.strategies.gradient.state import SearchState
from nas.strategies.gradient.steps import logits_step, weight_step, weighted_sum
from nas.tasks import Task
from nas.tasks.checks import check_finite, check_losses
from nas.tree import CostTable

OnEpoch = Callable[[dict[str, Any]], None]


class BilevelSearch:
    """Everything that stays the same during a search; `SearchState` is what changes.

    Whatever is random in an epoch (order of samples, routing, dropout) comes from seeds derived from
    ``(seed, epoch)``, so an epoch depends on the state before it and on nothing else. That is what makes a
    resumed search bitwise equal to an undisturbed one, for the same number of threads.

    Of several ranks each has its part of every batch; rank 0 draws the routing and writes, and dropout is each one's
    own.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        data: DataSource,
        table: CostTable,
        settings: GradientSettings,
        *,
        budgets: Sequence[float] = (),
        resource: str = "macs",
        seed: int,
        device: torch.device,
        num_workers: int = 0,
        ranks: Ranks = SINGLE_PROCESS,
    ) -> None:
        self.tasks = tuple(tasks)
        self.data = data
        self.table = table
        self.ranks = ranks
        self.settings = settings
        self.seed = seed
        self.device = device
        self.num_workers = num_workers
        self.resource = resource
        self.budgets = tuple(resolve_budget(budget, table, resource) for budget in budgets)
        # The exact discretisation cuts a tree down to a smaller budget, but cannot split what never parted.
        self.target = max(self.budgets, default=None)

    def start(self, supernet: Supernet, logits_LTC: Tensor | None = None) -> SearchState:
        """The state before the first epoch: the logits, uniform if left out, fresh optimisers, and a new penalty."""
        state = SearchState.start(supernet, self.settings, self.device, self.ranks)
        if logits_LTC is not None:
            with torch.no_grad():
                state.logits_LTC.copy_(self.ranks.broadcast(logits_LTC))
        return replace(state, penalty=self.settings.penalty.initial_state(self.expected_cost(state)))

    def run(self, state: SearchState, checkpoints: CheckpointFolder, on_epoch: OnEpoch) -> None:
        """Train from wherever the state is to the last epoch."""
        for epoch in range(state.num_epochs, self.settings.epochs):
            record = self.train_epoch(state, epoch)
            state.num_epochs = epoch + 1
            state.history.append(record)
            loss = record["architecture"]["total"] if record["architecture"] else None
            if loss is not None and loss <= state.best_loss:
                state.best_loss, state.best_epoch = loss, epoch + 1
            if self.ranks.is_first:
                checkpoints.save(state.num_epochs, state.record(), state.best_epoch)
            on_epoch(record)

    def train_epoch(self, state: SearchState, epoch: int) -> dict[str, Any]:
        """One pass over the logits' split (after the warm-up), then one over the weights' split."""
        settings = self.settings
        before_LTC = state.logits_LTC.detach().clone()
        warm = epoch < settings.warmup_epochs
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "routing", epoch))
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(derive_seed(self.seed, "dropout", epoch, *self.ranks.seed_suffix))
            state.supernet.train()
            if settings.reset_optimizers:
                state.reset_optimizers(settings)
            architecture = None if warm else self._logits_pass(state, epoch, generator)
            weights = self._weights_pass(state, epoch, generator, warm)
        return {
            "epoch": epoch,
            "phase": "warm-up" if warm else "search",
            "temperature": None if warm else settings.temperature_at(epoch),
            "weights": weights,
            "architecture": architecture,
            "expected_cost": self.expected_cost(state),
            "budget": self.target,
            "penalty": state.penalty.to_dict(),
            **describe_logits(before_LTC, state.logits_LTC.detach()),
        }

    def expected_cost(self, state: SearchState) -> float:
        """Of softmax(logits), in the resource."""
        with torch.no_grad():
            probs_LTC = torch.softmax(state.logits_LTC, dim=-1)
            return expected_cost(probs_LTC, self.table, self.resource).item()

    def try_steps(self, state: SearchState) -> tuple[dict[str, float], float]:
        """One step of each kind on a first batch of each split, as in the first epoch after the warm-up.

        Returns:
            the weights' losses by task, and how many seconds the whole search would take at this pace (steps of
            the warm-up are counted in full, though they are cheaper).
        """
        settings, epoch = self.settings, self.settings.warmup_epochs
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "routing", epoch))
        state.supernet.train()
        start = time.perf_counter()
        batch = next(iter(self._batches("architecture", epoch)))
        routing_LTC = self._sample(state, epoch, generator)
        logits_step(
            *(state, batch, routing_LTC, self.tasks, settings, self.table, self.target, 0.0), resource=self.resource
        )
        middle = time.perf_counter()
        batch = next(iter(self._batches("train", epoch)))
        losses = {
            name: loss.item()
            for name, loss in weight_step(state, batch, routing_LTC.detach(), self.tasks, settings).items()
        }
        end = time.perf_counter()
        seconds = (settings.epochs - epoch) * self._num_steps("architecture") * (middle - start)
        return losses, seconds + settings.epochs * self._num_steps("train") * (end - middle)

    def _num_steps(self, split: SplitName) -> int:
        return max(1, len(self.data.split(split)) // self.settings.batch_size)

    def _logits_pass(self, state: SearchState, epoch: int, generator: torch.Generator) -> dict[str, Any]:
        settings = self.settings
        num_steps = self._num_steps("architecture")
        first = settings.warmup_epochs
        losses = _Mean(self.tasks, epoch, lambda: self._loader("architecture", epoch, (0, 1)))
        for step, batch in enumerate(self._batches("architecture", epoch)):
            progress = (epoch - first + step / num_steps) / (settings.epochs - first)
            routing_LTC = self._sample(state, epoch, generator)
            losses.add(
                logits_step(
                    *(state, batch, routing_LTC, self.tasks, settings, self.table, self.target, min(progress, 1.0)),
                    resource=self.resource,
                    generator=generator,
                    ranks=self.ranks,
                )
            )
        if settings.reset_statistics:
            reset_running_statistics(state.supernet)
        return losses.result()

    def _weights_pass(self, state: SearchState, epoch: int, generator: torch.Generator, warm: bool) -> dict[str, Any]:
        own = own_copy_routing(*state.logits_LTC.shape).to(self.device)
        losses = _Mean(self.tasks, epoch, lambda: self._loader("train", epoch, (0, 1)))
        for batch in self._batches("train", epoch):
            with torch.no_grad():
                routing_LTC = own if warm else self._sample(state, epoch, generator)
            losses.add(weight_step(state, batch, routing_LTC, self.tasks, self.settings, self.ranks))
        return losses.result()

    def _sample(self, state: SearchState, epoch: int, generator: torch.Generator) -> Tensor:
        hard = self.settings.routing != "soft"
        sampled = sample_routing(state.logits_LTC, self.settings.temperature_at(epoch), hard=hard, generator=generator)
        return self.ranks.broadcast(sampled)

    def _batches(self, split: SplitName, epoch: int) -> Iterable[Batch]:
        """The batches of an epoch, or this rank's part of each, on the device."""
        return (batch.to(self.device) for batch in self._loader(split, epoch, self.ranks.shard))

    def _loader(self, split: SplitName, epoch: int, shard: tuple[int, int]) -> Iterable[Batch]:
        dataset = self.data.split(split)
        return batches(
            dataset,
            self.settings.batch_size,
            seed=derive_seed(self.seed, split),
            epoch=epoch,
            shuffle=True,
            # A last batch of one sample would have no batch statistics.
            drop_last=len(dataset) > self.settings.batch_size,
            num_workers=self.num_workers,
            shard=shard,
        )


class _Mean:
    """Means of losses over an epoch, per task over the batches that had its labels.

    Args:
        whole: makes the batches of the epoch again, of all ranks, to find why a loss is not finite.
    """

    def __init__(self, tasks: Sequence[Task], epoch: int, whole: Callable[[], Iterable[Batch]]) -> None:
        self.tasks = tasks
        self.epoch = epoch
        self.whole = whole
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, losses: dict[str, Tensor]) -> None:
        for name, loss in losses.items():
            # At once: from the next step on all losses are NaN, and logits that are NaN have no expected cost.
            if not torch.isfinite(loss):
                task = next(task for task in self.tasks if task.name == name)
                raise WorkFailed(check_finite(task, loss.item(), f"epoch {self.epoch + 1}: the loss", self.whole()))
            self.sums[name] = self.sums.get(name, torch.zeros_like(loss)) + loss
            self.counts[name] = self.counts.get(name, 0) + 1

    def result(self) -> dict[str, Any]:
        if not self.sums:
            raise WorkFailed(f"epoch {self.epoch + 1}: no batch had a label of any task")
        means = {name: total / self.counts[name] for name, total in self.sums.items()}
        check_losses(self.tasks, {name: mean.item() for name, mean in means.items()})
        total = weighted_sum(self.tasks, means).item()
        return {"total": total, "tasks": {name: mean.item() for name, mean in sorted(means.items())}}
