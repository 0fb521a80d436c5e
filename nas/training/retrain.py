"""Retraining: training a branched network on all tasks together, with a checkpoint after every epoch."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nas.checkpoint import CheckpointFolder
from nas.data import Batch, Dataset, DataSource, SplitName, batches, derive_seed
from nas.errors import InputError, WorkFailed, in_one_line
from nas.network import BranchedNetwork
from nas.optimizer import set_learning_rate
from nas.tasks import Task, task_losses
from nas.training.evaluate import Measured, evaluate, run_network
from nas.training.joined import JoinedDataset
from nas.training.settings import TrainingSettings


@dataclass
class TrainingState:
    """Network, optimiser, and how far the training is. ``history`` holds one plain record per finished epoch."""

    network: BranchedNetwork
    optimizer: torch.optim.Optimizer
    num_epochs: int = 0
    best_epoch: int | None = None
    best_loss: float = float("inf")
    history: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def start(cls, network: BranchedNetwork, settings: TrainingSettings) -> "TrainingState":
        return cls(network, settings.optimizer.make(parameter_groups(network, settings)))

    def record(self) -> dict[str, Any]:
        """Tensors and plain values alone, for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "history": self.history,
        }

    def load(self, record: dict[str, Any], where: str) -> None:
        """Take over a checkpoint's record; one of another network is an InputError naming `where`."""
        load_network(self.network, record, where)
        try:
            self.optimizer.load_state_dict(record["optimizer"])
            self.num_epochs, self.best_epoch = int(record["num_epochs"]), record["best_epoch"]
            self.best_loss, self.history = float(record["best_loss"]), list(record["history"])
            if not all(isinstance(epoch, dict) for epoch in self.history):
                raise ValueError("its history is not a list of records")
            json.dumps(self.history)  # a TypeError unless it is plain
            if not isinstance(self.best_epoch, int):
                raise ValueError(f"its best epoch is {self.best_epoch!r}")
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError) as error:
            raise InputError(f"{where}: not a checkpoint of this training ({in_one_line(error)})") from error


def load_network(network: BranchedNetwork, record: dict[str, Any], where: str) -> None:
    """Load a checkpoint's weights into a network; another network's are an InputError naming `where`."""
    try:
        network.load_state_dict(record["network"])
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        raise InputError(f"{where}: holds no weights of this tree's network ({reason})") from error


def parameter_groups(network: BranchedNetwork, settings: TrainingSettings) -> list[dict[str, Any]]:
    """The network's parameters by how many tasks use them, with 1/k of the learning rate if it is divided."""
    by_sharing: dict[int, list[torch.nn.Parameter]] = {}
    for part, num_tasks in network.sharing():
        by_sharing.setdefault(num_tasks, []).extend(part.parameters())
    divided = settings.shared_lr == "divided"
    return [
        {"params": parameters, "lr": settings.optimizer.lr / (num_tasks if divided else 1)}
        for num_tasks, parameters in sorted(by_sharing.items())
        if parameters
    ]


class Retraining:
    """Everything that stays the same while a network is trained; `TrainingState` is what changes.

    Randomness comes from ``(seed, epoch)``, as in the search, so a resumed training is bitwise an undisturbed
    one for the same number of threads.
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
    ) -> None:
        self.tasks = tuple(tasks)
        self.data = data
        self.settings = settings
        self.seed = seed
        self.device = device
        self.num_workers = num_workers

    def run(
        self, state: TrainingState, checkpoints: CheckpointFolder, on_epoch: Callable[[dict[str, Any]], None]
    ) -> None:
        """Train from wherever the state is to the last epoch, or until patience ends.

        The state is then the last epoch's; the best one's is in the checkpoints.
        """
        state.network.to(self.device)
        while state.num_epochs < self.settings.epochs and not self._out_of_patience(state):
            record = self.train_epoch(state, state.num_epochs)
            state.num_epochs += 1
            state.history.append(record)
            if record["validation"]["total"] < state.best_loss:
                state.best_loss, state.best_epoch = record["validation"]["total"], state.num_epochs
            checkpoints.save(state.num_epochs, state.record(), state.best_epoch)
            on_epoch(record)

    def train_epoch(self, state: TrainingState, epoch: int) -> dict[str, Any]:
        """One pass over the training splits, then the validation split's losses and metrics."""
        settings = self.settings
        dataset = self._training_set()
        num_steps = max(1, len(dataset) // settings.batch_size)
        chosen = [task for task in self.tasks if task.name in state.network.tree.tasks]
        # Kept on the device and looked at after the epoch, so that no step waits for its loss.
        seen: list[dict[str, Tensor]] = []
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(derive_seed(self.seed, "retrain", epoch))
            state.network.train()
            for step, batch in enumerate(self._batches(dataset, epoch)):
                progress = (epoch + step / num_steps) / settings.epochs
                set_learning_rate(state.optimizer, settings.schedule.factor(min(progress, 1.0)))
                losses = task_losses(chosen, run_network(state.network, batch.inputs), batch)
                if not losses:
                    continue
                state.optimizer.zero_grad(set_to_none=True)
                _weighted_sum(chosen, losses).backward()  # type: ignore[no-untyped-call]
                state.optimizer.step()
                seen.append({name: loss.detach() for name, loss in losses.items()})
        if not seen:
            raise WorkFailed(f"epoch {epoch + 1}: no training batch had a label of {[task.name for task in chosen]}")
        _require_finite(seen, epoch)
        measured = self.evaluate(state.network, "validation")
        if diverged := [name for name, values in measured.items() if not math.isfinite(values["loss"])]:
            raise WorkFailed(
                f"epoch {epoch + 1}: the validation loss of {diverged} is not finite; lower the learning rate"
            )
        validation = sum(task.weight * measured[task.name]["loss"] for task in chosen)
        return {
            "epoch": epoch,
            "training": {"total": sum(_weighted_sum(chosen, losses).item() for losses in seen) / len(seen)},
            "validation": {"total": validation, "tasks": measured},
        }

    def evaluate(self, network: BranchedNetwork, split: SplitName) -> Measured:
        """Losses and metrics on one split."""
        return evaluate(
            network,
            self.tasks,
            self.data.split(split),
            batch_size=self.settings.batch_size,
            device=self.device,
            num_workers=self.num_workers,
        )

    def _out_of_patience(self, state: TrainingState) -> bool:
        patience = self.settings.patience
        return patience is not None and state.num_epochs - (state.best_epoch or 0) >= patience

    def _training_set(self) -> Dataset:
        return JoinedDataset([self.data.split(name) for name in self.settings.splits])

    def _batches(self, dataset: Dataset, epoch: int) -> Iterator[Batch]:
        loader = batches(
            dataset,
            self.settings.batch_size,
            seed=self.seed,
            epoch=epoch,
            shuffle=True,
            drop_last=len(dataset) > self.settings.batch_size,
            num_workers=self.num_workers,
        )
        return (batch.to(self.device) for batch in loader)


def _weighted_sum(tasks: Sequence[Task], losses: dict[str, Tensor]) -> Tensor:
    return torch.stack([task.weight * losses[task.name] for task in tasks if task.name in losses]).sum()


def _require_finite(seen: list[dict[str, Tensor]], epoch: int) -> None:
    """WorkFailed on the first loss that is not finite: it makes all the others NaN from the next step on."""
    for losses in seen:
        for name, loss in losses.items():
            if not torch.isfinite(loss):
                raise WorkFailed(
                    f"epoch {epoch + 1}: the training loss of {name} is {loss.item()}; "
                    f"lower the learning rate or check its labels"
                )
