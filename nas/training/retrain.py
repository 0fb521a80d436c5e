"""Retraining: trains the network of a tree on all its tasks, with a checkpoint after every epoch."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

import torch
import torchmetrics

from nas.data import Batch, Dataset, DataSource, SplitName, batches, derive_seed
from nas.data.concatenated import ConcatenatedDataset
from nas.engine import SINGLE_PROCESS, Ranks
from nas.engine.checkpoint import CheckpointFolder
from nas.engine.loop import run_epochs, seeded
from nas.errors import WorkFailed
from nas.networks.branched import BranchedNetwork
from nas.tasks import Task
from nas.tasks.checks import check_finite
from nas.tasks.epoch_losses import EpochLosses, mean_of
from nas.training.distill import Distillation
from nas.training.evaluate import evaluate, make_metrics
from nas.training.measured import Measured
from nas.training.methods import require_methods
from nas.training.score import EpochScore
from nas.training.settings import TrainingSettings
from nas.training.state import TrainingRecord, TrainingState
from nas.training.step import train_step


@dataclass(eq=False)
class Retraining:
    """Everything that stays the same while a network is trained; `TrainingState` holds what changes.

    All random numbers of an epoch depend on ``(seed, epoch)`` only. So a resumed training gives the same bits as an
    uninterrupted one, for the same number of threads.

    Args:
        tasks: all tasks of the recipe; a network may have only some of them.
        teachers: by task, the networks for distillation, if the settings ask for it.
        ranks: processes that share each batch. Rank 0 evaluates, decides and writes. Dropout differs between ranks.

    Raises:
        InputError: the settings name an unknown task or metric, or need a package that is not installed.
    """

    tasks: Sequence[Task]
    data: DataSource
    settings: TrainingSettings
    _: KW_ONLY
    seed: int
    device: torch.device
    num_workers: int = 0
    teachers: Mapping[str, BranchedNetwork] | None = None
    ranks: Ranks = SINGLE_PROCESS

    def __post_init__(self) -> None:
        settings, teachers = self.settings, self.teachers
        require_methods(settings.balance, settings.aggregate)
        self._metrics: dict[str, dict[str, torchmetrics.Metric]] | None = None
        self._score = EpochScore(self.tasks, settings.stop_on)
        self._distillation = Distillation(teachers, settings.distill, settings.compute) if teachers else None

    def run(
        self,
        state: TrainingState,
        checkpoints: CheckpointFolder,
        on_epoch: Callable[[TrainingRecord], None],
        num_epochs: int | None = None,
    ) -> None:
        """Train from the state's epoch to the last one, or to the end of `num_epochs`, or until patience ends.

        The state is then that of the last epoch; the state of the best epoch is in the checkpoints.
        """
        state.network.to(self.device)
        state.result.to(self.device)
        run_epochs(
            *(state, num_epochs or self.settings.epochs, self.train_epoch, checkpoints, on_epoch),
            score=lambda record: self._score(record["validation"]["tasks"]),
            patience=self.settings.patience,
            ranks=self.ranks,
        )

    def train_epoch(self, state: TrainingState, epoch: int) -> TrainingRecord:
        """One pass over the training splits, then the validation split's losses and metrics."""
        settings = self.settings
        dataset = self._training_set()
        num_steps = math.ceil(max(1, len(dataset) // settings.batch_size) / settings.accumulate)
        chosen = [task for task in self.tasks if task.name in state.network.tree.tasks]
        losses, totals = EpochLosses(chosen, epoch, lambda: self._batches(epoch), "training loss"), []
        with seeded(derive_seed(self.seed, "retrain", epoch, *self.ranks.seed_suffix), self.device):
            state.network.train()
            for step, group in enumerate(self._groups(epoch)):
                progress = (epoch + step / num_steps) / settings.epochs
                lr_factor = settings.schedule.factor(min(progress, 1.0), 1 / (num_steps * settings.epochs))
                seen = train_step(state, chosen, group, settings, lr_factor, self._distillation, self.ranks)
                if seen is not None:
                    losses.add(seen.by_task)
                    totals.append(seen.total)
        # Distillation may be negative.
        by_task = losses.by_task(signed=self._distillation is not None)
        means = {name: mean_of(steps) for name, steps in by_task.items()}
        if state.balance is not None:
            state.balance.end_epoch(
                {task.name: task.weight * means[task.name] for task in chosen if task.name in means}
            )
        measured = self.evaluate(state.result, "validation")
        for task in chosen:
            if not math.isfinite(loss := measured[task.name]["loss"]):
                what, split = f"epoch {epoch + 1}: the validation loss", self.data.split("validation")
                loader = batches(split, settings.batch_size, seed=0, epoch=0, shuffle=False, drop_last=False)
                raise WorkFailed(check_finite(task, loss, what, loader))
        validation = sum(task.weight * measured[task.name]["loss"] for task in chosen)
        return {
            "epoch": epoch,
            "training": {"total": mean_of(torch.stack(totals)), "tasks": means},
            "validation": {"total": validation, "tasks": measured},
        }

    def evaluate(self, network: BranchedNetwork, split: SplitName) -> Measured:
        """Losses and metrics on one split; rank 0 computes them while the others wait."""
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

    def _training_set(self) -> Dataset:
        return ConcatenatedDataset([self.data.split(name) for name in self.settings.splits])

    def _batches(self, epoch: int, shard: tuple[int, int] = (0, 1)) -> Iterable[Batch]:
        """The batches of an epoch, or a rank's part of each."""
        return batches(
            *(self._training_set(), self.settings.batch_size),
            seed=self.seed,
            epoch=epoch,
            shuffle=True,
            num_workers=self.num_workers,
            shard=shard,
        )

    def _groups(self, epoch: int) -> Iterator[list[Batch]]:
        """The batches of each step of an epoch, on the device."""
        loader = iter(self._batches(epoch, self.ranks.shard))
        while group := [batch.to(self.device) for batch in itertools.islice(loader, self.settings.accumulate)]:
            yield group
