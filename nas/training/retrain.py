"""Retraining: training a branched network on all tasks together, with a checkpoint after every epoch."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torchmetrics

from nas.data import Batch, Dataset, DataSource, SplitName, batches, derive_seed
from nas.engine import SINGLE_PROCESS, Ranks
from nas.engine.checkpoint import CheckpointFolder
from nas.errors import WorkFailed
from nas.networks.branched import BranchedNetwork
from nas.tasks import Task
from nas.tasks.checks import check_finite, check_losses
from nas.training.distill import Distillation
from nas.training.evaluate import evaluate, make_metrics
from nas.training.joined import JoinedDataset
from nas.training.measured import Measured
from nas.training.methods import require_methods
from nas.training.score import EpochScore
from nas.training.settings import TrainingSettings
from nas.training.state import TrainingState
from nas.training.step import StepLosses, train_step


class Retraining:
    """Everything that stays the same while a network is trained; `TrainingState` is what changes.

    Randomness comes from ``(seed, epoch)``, as in the search, so a resumed training is bitwise an undisturbed
    one for the same number of threads.

    Args:
        tasks: all of the recipe; a network's own are trained.
        teachers: by task, the networks to learn from, where the settings ask for distillation.
        ranks: those that share each batch. Rank 0 measures, decides and writes, and dropout is each one's own.

    Raises:
        InputError: settings that name a task or metric that is not there, or need a package that is not installed.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        data: DataSource,
        settings: TrainingSettings,
        *,
        seed: int,
        device: torch.device,
        num_workers: int = 0,
        teachers: Mapping[str, BranchedNetwork] | None = None,
        ranks: Ranks = SINGLE_PROCESS,
    ) -> None:
        require_methods(settings.balance, settings.aggregate)
        self.tasks = tuple(tasks)
        self.ranks = ranks
        self.data = data
        self.settings = settings
        self.seed = seed
        self.device = device
        self.num_workers = num_workers
        self._metrics: dict[str, dict[str, torchmetrics.Metric]] | None = None
        self._score = EpochScore(tasks, settings.stop_on)
        self._distillation = Distillation(teachers, settings.distill, settings.compute) if teachers else None

    def run(
        self, state: TrainingState, checkpoints: CheckpointFolder, on_epoch: Callable[[dict[str, Any]], None]
    ) -> None:
        """Train from wherever the state is to the last epoch, or until patience ends.

        The state is then the last epoch's; the best one's is in the checkpoints.
        """
        state.network.to(self.device)
        state.result.to(self.device)
        while state.num_epochs < self.settings.epochs and not self._out_of_patience(state):
            record = self.train_epoch(state, state.num_epochs)
            state.num_epochs += 1
            state.history.append(record)
            score = self._score(record["validation"]["tasks"])
            if score < state.best_loss:
                state.best_loss, state.best_epoch = score, state.num_epochs
            if self.ranks.is_first:
                checkpoints.save(state.num_epochs, state.record(), state.best_epoch)
            on_epoch(record)

    def train_epoch(self, state: TrainingState, epoch: int) -> dict[str, Any]:
        """One pass over the training splits, then the validation split's losses and metrics."""
        settings = self.settings
        dataset = self._training_set()
        num_steps = math.ceil(max(1, len(dataset) // settings.batch_size) / settings.accumulate)
        chosen = [task for task in self.tasks if task.name in state.network.tree.tasks]
        # Kept on the device and looked at after the epoch, so that no step waits for its loss.
        seen: list[StepLosses] = []
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(derive_seed(self.seed, "retrain", epoch, *self.ranks.seed_suffix))
            state.network.train()
            for step, group in enumerate(self._groups(epoch)):
                progress = (epoch + step / num_steps) / settings.epochs
                lr_factor = settings.schedule.factor(min(progress, 1.0), 1 / (num_steps * settings.epochs))
                losses = train_step(state, chosen, group, settings, lr_factor, self._distillation, self.ranks)
                if losses is not None:
                    seen.append(losses)
        if not seen:
            raise WorkFailed(f"epoch {epoch + 1}: no training batch had a label of {[task.name for task in chosen]}")
        by_task = self._mean_losses(seen, epoch)
        if state.balance is not None:
            state.balance.end_epoch(
                {task.name: task.weight * by_task[task.name] for task in chosen if task.name in by_task}
            )
        measured = self.evaluate(state.result, "validation")
        for task in chosen:
            if not math.isfinite(loss := measured[task.name]["loss"]):
                what = f"epoch {epoch + 1}: the validation loss"
                raise WorkFailed(check_finite(task, loss, what, self._in_order("validation")))
        validation = sum(task.weight * measured[task.name]["loss"] for task in chosen)
        totals = torch.stack([losses.total for losses in seen]).tolist()
        return {
            "epoch": epoch,
            "training": {"total": sum(totals) / len(totals), "tasks": by_task},
            "validation": {"total": validation, "tasks": measured},
        }

    def evaluate(self, network: BranchedNetwork, split: SplitName) -> Measured:
        """Losses and metrics on one split, measured by rank 0 while the others wait."""
        measured: Measured = self.ranks.call_on_first(lambda: self._measure(network, split))
        return measured

    def _measure(self, network: BranchedNetwork, split: SplitName) -> Measured:
        if self._metrics is None:
            self._metrics = {task.name: make_metrics(task, self.device) for task in self.tasks}
        return evaluate(
            network,
            self.tasks,
            self.data.split(split),
            batch_size=self.settings.evaluation_batch(self.ranks.size),
            device=self.device,
            num_workers=self.num_workers,
            metrics=self._metrics,
        )

    def _out_of_patience(self, state: TrainingState) -> bool:
        patience = self.settings.patience
        return patience is not None and state.num_epochs - (state.best_epoch or 0) >= patience

    def _training_set(self) -> Dataset:
        return JoinedDataset([self.data.split(name) for name in self.settings.splits])

    def _batches(self, epoch: int, shard: tuple[int, int] = (0, 1)) -> Iterable[Batch]:
        """The batches of an epoch, or a rank's part of each."""
        dataset = self._training_set()
        return batches(
            dataset,
            self.settings.batch_size,
            seed=self.seed,
            epoch=epoch,
            shuffle=True,
            drop_last=len(dataset) > self.settings.batch_size,
            num_workers=self.num_workers,
            shard=shard,
        )

    def _in_order(self, split: SplitName) -> Iterable[Batch]:
        dataset, size = self.data.split(split), self.settings.batch_size
        return batches(dataset, size, seed=0, epoch=0, shuffle=False, drop_last=False, num_workers=self.num_workers)

    def _groups(self, epoch: int) -> Iterator[list[Batch]]:
        """The batches of each step of an epoch, on the device."""
        loader = iter(self._batches(epoch, self.ranks.shard))
        while group := [batch.to(self.device) for batch in itertools.islice(loader, self.settings.accumulate)]:
            yield group

    def _mean_losses(self, seen: Sequence[StepLosses], epoch: int) -> dict[str, float]:
        """By task, the mean over the steps in which it had a loss.

        Raises:
            InputError: a loss is not finite, or negative, because of inputs or labels.
            WorkFailed: a loss is not finite though these are as they should be.
        """
        names = [name for losses in seen for name in losses.by_task]
        values = torch.stack([loss for losses in seen for loss in losses.by_task.values()]).tolist()
        by_name = {task.name: task for task in self.tasks}
        by_task: dict[str, list[float]] = {}
        for name, value in zip(names, values, strict=True):
            # The first that is not finite: it makes all the others NaN from the next step on.
            if not math.isfinite(value):
                raise WorkFailed(
                    check_finite(by_name[name], value, f"epoch {epoch + 1}: the training loss", self._batches(epoch))
                )
            by_task.setdefault(name, []).append(value)
        if self._distillation is None:
            check_losses(self.tasks, {name: min(losses) for name, losses in by_task.items()})
        return {name: sum(losses) / len(losses) for name, losses in by_task.items()}
