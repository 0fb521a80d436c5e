"""The own-copy warm-up: all copies of all tasks trained at once, with a checkpoint after every epoch."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nas.data import Batch, Dataset, DataSource, batches, derive_seed
from nas.engine import SINGLE_PROCESS, Ranks, synchronise_batch_norm
from nas.engine.checkpoint import CheckpointFolder
from nas.engine.optimizer import set_learning_rate
from nas.errors import InputError, WorkFailed, as_input_errors, in_one_line
from nas.networks.backbone import Backbone, explaining_in_place_errors
from nas.networks.supernet import Supernet
from nas.strategies.similarity.channels import channel_dims
from nas.strategies.similarity.copies import make_copies, routing_of, twin_batch, twins_of
from nas.strategies.similarity.settings import SimilaritySettings
from nas.tasks import Task, task_losses
from nas.tasks.checks import check_finite, check_losses
from nas.training.joined import JoinedDataset


@dataclass
class CopyTrainingState:
    """The copies, their optimiser, and how far the training is. ``history`` holds one plain record per epoch."""

    copies: Supernet
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    num_epochs: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """Tensors and plain values alone, for a checkpoint."""
        return {
            "tasks": list(self.copies.task_names),
            "supernet": self.copies.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "history": self.history,
        }

    def load(self, record: dict[str, Any], where: str) -> None:
        """Take over a checkpoint's record; one of another architecture is an InputError naming `where`."""
        try:
            # Which candidate is whose copy is in this order, which the names of the weights do not tell.
            if list(record["tasks"]) != list(self.copies.task_names):
                raise ValueError(f"its copies are {record['tasks']}, here they are {list(self.copies.task_names)}")
            self.copies.load_state_dict(record["supernet"])
            self.optimizer.load_state_dict(record["optimizer"])
            self.scaler.load_state_dict(record["scaler"])
            self.num_epochs, self.history = int(record["num_epochs"]), list(record["history"])
            if not all(isinstance(epoch, dict) for epoch in self.history):
                raise ValueError("its history is not a list of records")
            json.dumps(self.history)  # a TypeError unless it is plain
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError) as error:
            raise InputError(f"{where}: not a checkpoint of this warm-up ({in_one_line(error)})") from error


class CopyTraining:
    """Everything that stays the same during a warm-up; `CopyTrainingState` is what changes.

    Each task trains K networks of its own, each on the task's loss; only the stem is shared, and learns from all. As in
    the search, whatever is random in an epoch comes from ``(seed, epoch)``, so a resumed warm-up is bitwise an
    undisturbed one, for the same number of threads.

    Args:
        affine_last_norm: of the copies, as `nas.networks.supernet.Supernet` has it.
        ranks: those that share each batch; rank 0 writes, and dropout is each one's own.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        data: DataSource,
        settings: SimilaritySettings,
        *,
        seed: int,
        device: torch.device,
        num_workers: int = 0,
        affine_last_norm: bool = True,
        ranks: Ranks = SINGLE_PROCESS,
    ) -> None:
        self.tasks = tuple(tasks)
        self.ranks = ranks
        self.twins = twins_of(tasks, settings.copies)
        self.data = data
        self.settings = settings
        self.seed = seed
        self.device = device
        self.num_workers = num_workers
        self.affine_last_norm = affine_last_norm

    def make_copies(self, backbone: Backbone) -> Supernet:
        """The copies before training: by the seed, so the same weights at every call."""
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(derive_seed(self.seed, "own copies"))
            copies = make_copies(backbone, self.tasks, self.settings.copies, affine_last_norm=self.affine_last_norm)
        return copies.to(self.device)

    def start(self, backbone: Backbone) -> CopyTrainingState:
        """The state before the first epoch.

        Raises:
            InputError: the backbone states a dimension of the channels that its features do not have.
        """
        settings, copies = self.settings, self.make_copies(backbone)
        # Needed after the training; what is wrong with it is said before.
        copies.channel_dims = channel_dims(copies, self.training_set[0][0][None].to(self.device))
        self.ranks.copy_from_first(copies.state_dict().values())
        synchronise_batch_norm(copies, self.ranks)
        copies.set_execution(candidates=settings.candidates, checkpoint_activations=settings.checkpoint_activations)
        settings.compute.prepare(copies)
        return CopyTrainingState(
            copies, settings.weights.make(copies.parameters()), settings.compute.scaler(self.device)
        )

    def run(
        self, state: CopyTrainingState, checkpoints: CheckpointFolder, on_epoch: Callable[[dict[str, Any]], None]
    ) -> None:
        """Train from wherever the state is to the last epoch."""
        while state.num_epochs < self.settings.epochs:
            record = self.train_epoch(state, state.num_epochs)
            state.num_epochs += 1
            state.history.append(record)
            if self.ranks.is_first:
                checkpoints.save(state.num_epochs, state.record(), None)
            on_epoch(record)

    def train_epoch(self, state: CopyTrainingState, epoch: int) -> dict[str, Any]:
        """One pass over the settings' splits."""
        num_steps = self.num_steps
        # Kept on the device and looked at after the epoch, so that no step waits for its loss.
        seen: list[dict[str, Tensor]] = []
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(derive_seed(self.seed, "own copies", epoch, *self.ranks.seed_suffix))
            state.copies.train()
            for step, batch in enumerate(self.batches(epoch)):
                progress = (epoch + step / num_steps) / self.settings.epochs
                set_learning_rate(state.optimizer, self.settings.schedule.factor(min(progress, 1.0)))
                seen.append(self.step(state, batch))
        return {"epoch": epoch, "phase": "own copies", "weights": self._means(seen, epoch)}

    def step(self, state: CopyTrainingState, batch: Batch) -> dict[str, Tensor]:
        """Update all copies on one batch, or this rank's part of it; those of a task without a label are not touched.

        Returns:
            detached, unweighted losses by the copies' names.
        """
        batch = twin_batch(batch, self.settings.copies)
        (shares,) = self.ranks.label_shares([batch.labels], [twin.name for twin in self.twins])
        twins = [twin for twin in self.twins if twin.name in shares]
        if not twins:
            return {}
        compute = self.settings.compute
        shape = list(batch.inputs.shape)
        with as_input_errors(f"the backbone does not run on inputs of shape {shape}"), compute.autocast(self.device):
            inputs = compute.inputs(batch.inputs)
            outputs = state.copies(inputs, routing_of(state.copies), [twin.name for twin in twins])
        outputs = compute.outputs(outputs)
        losses = self.ranks.weighted_losses(task_losses(twins, outputs, batch), outputs, shares)
        state.optimizer.zero_grad(set_to_none=True)
        total = torch.stack([twin.weight * losses[twin.name] for twin in twins]).sum()
        with explaining_in_place_errors():
            state.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        summed = self.ranks.reduce(state.copies.parameters(), list(losses.values()))
        state.scaler.step(state.optimizer)
        state.scaler.update()
        return dict(zip(losses, summed, strict=True))

    def try_steps(self, state: CopyTrainingState) -> tuple[dict[str, float], float]:
        """One step on a first batch.

        Returns:
            each task's loss, of its first copy; and how many seconds the whole warm-up would take at this pace.
        """
        state.copies.train()
        start = time.perf_counter()
        losses = self.step(state, next(iter(self.batches(0))))
        first = {task.name: losses[task.name].item() for task in self.tasks if task.name in losses}
        return first, self.settings.epochs * self.num_steps * (time.perf_counter() - start)

    @property
    def num_steps(self) -> int:
        """Steps of an epoch."""
        return max(1, len(self.training_set) // self.settings.batch_size)

    @property
    def training_set(self) -> Dataset:
        """The settings' splits as one."""
        return JoinedDataset([self.data.split(name) for name in self.settings.splits])

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, or this rank's part of each, on the device."""
        return (batch.to(self.device) for batch in self._loader(epoch, self.ranks.shard))

    def _loader(self, epoch: int, shard: tuple[int, int]) -> Iterable[Batch]:
        dataset = self.training_set
        return batches(
            dataset,
            self.settings.batch_size,
            seed=derive_seed(self.seed, "own copies"),
            epoch=epoch,
            shuffle=True,
            # A last batch of one sample would have no batch statistics.
            drop_last=len(dataset) > self.settings.batch_size,
            num_workers=self.num_workers,
            shard=shard,
        )

    def _means(self, seen: Sequence[dict[str, Tensor]], epoch: int) -> dict[str, Any]:
        """Means of the losses over batches and copies, per task over the batches that had its labels."""
        by_name: dict[str, list[float]] = {}
        for losses in seen:
            values = torch.stack(list(losses.values())).tolist() if losses else []
            for name, value in zip(losses, values, strict=True):
                # Of the first step that has one: from the next step on, the stem makes all of them NaN.
                owner = name.partition(":")[0]
                if not math.isfinite(value):
                    task = next(task for task in self.tasks if task.name == owner)
                    what = f"epoch {epoch + 1}: the loss"
                    raise WorkFailed(check_finite(task, value, what, self._loader(epoch, (0, 1))))
                by_name.setdefault(owner, []).append(value)
        if not by_name:
            raise WorkFailed(f"epoch {epoch + 1}: no batch had a label of any task")
        check_losses(self.tasks, {name: min(values) for name, values in by_name.items()})
        means = {name: math.fsum(values) / len(values) for name, values in sorted(by_name.items())}
        return {"total": sum(task.weight * means.get(task.name, 0.0) for task in self.tasks), "tasks": means}
