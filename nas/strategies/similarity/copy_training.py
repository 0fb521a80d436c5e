"""The own-copy warm-up: all copies of all tasks trained at once, with a checkpoint after every epoch."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, NotRequired, TypedDict

import torch
from torch import Tensor

from nas.data import Batch, Dataset, DataSource, batches, derive_seed
from nas.data.concatenated import ConcatenatedDataset
from nas.engine import SINGLE_PROCESS, Ranks, synchronise_batch_norm
from nas.engine.checkpoint import CheckpointFolder
from nas.engine.loop import LoopState, explaining_checkpoint, run_epochs, seeded
from nas.engine.optimizer import set_learning_rate
from nas.errors import as_input_errors
from nas.networks.backbone import Backbone, explaining_in_place_errors
from nas.networks.supernet import Supernet
from nas.strategies.similarity.channels import channel_dims
from nas.strategies.similarity.copies import make_copies, routing_of, twin_batch, twins_of
from nas.strategies.similarity.settings import SimilaritySettings
from nas.strategies.similarity.settled import settled
from nas.tasks import Task, task_losses
from nas.tasks.epoch_losses import EpochLosses, MeanLosses, mean_of


class Look(TypedDict):
    """The state of the copies after an epoch: ids of the trees that they give, and `learned_shares` by task."""

    trees: list[str]
    learned: dict[str, float]


class CopyTrainingRecord(TypedDict):
    """One epoch of a warm-up, as ``metrics.jsonl`` has it; the losses are means over the copies as well.

    ``trees`` and ``learned`` are those of a `Look`, if the settings have a patience.
    """

    epoch: int
    phase: Literal["own copies"]
    weights: MeanLosses
    trees: NotRequired[list[str]]
    learned: NotRequired[dict[str, float]]


@dataclass
class CopyTrainingState(LoopState[CopyTrainingRecord]):
    """The copies, their optimiser, and the progress of the training, which has no best epoch."""

    copies: Supernet
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler

    def record(self) -> dict[str, Any]:
        return {
            "tasks": list(self.copies.task_names),
            "supernet": self.copies.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "history": self.history,
        }

    def load(self, record: Mapping[str, Any], where: str) -> None:
        with explaining_checkpoint("these own copies", where):
            # The candidates have the order of the tasks, and the names of the weights do not show it.
            if list(record["tasks"]) != list(self.copies.task_names):
                raise ValueError(f"its copies are {record['tasks']}, here they are {list(self.copies.task_names)}")
            self.copies.load_state_dict(record["supernet"])
            self.optimizer.load_state_dict(record["optimizer"])
            self.scaler.load_state_dict(record["scaler"])
            # The record has no best epoch.
            self.load_progress({"best_epoch": self.best_epoch, "best_loss": self.best_loss, **record})


@dataclass(eq=False)
class CopyTraining:
    """Everything that stays the same during a warm-up; `CopyTrainingState` holds what changes.

    K networks of each task learn from the task's loss. Only the stem is shared, and it learns from all losses. All
    random numbers of an epoch depend on ``(seed, epoch)`` only, so a resumed warm-up gives the same bits as an
    uninterrupted one, for the same number of threads.

    Args:
        affine_last_norm: see `nas.networks.supernet.Supernet`.
        ranks: processes that share each batch. Rank 0 writes. Dropout differs between ranks.
    """

    tasks: Sequence[Task]
    data: DataSource
    settings: SimilaritySettings
    _: KW_ONLY
    seed: int
    device: torch.device
    num_workers: int = 0
    affine_last_norm: bool = True
    ranks: Ranks = SINGLE_PROCESS

    def __post_init__(self) -> None:
        self.twins = twins_of(self.tasks, self.settings.copies)

    def make_copies(self, backbone: Backbone) -> Supernet:
        """The copies before training; the seed decides their weights, so every call gives the same ones."""
        with seeded(derive_seed(self.seed, "own copies")):
            copies = make_copies(backbone, self.tasks, self.settings.copies, affine_last_norm=self.affine_last_norm)
        return copies.to(self.device)

    def start(self, backbone: Backbone) -> CopyTrainingState:
        """The state before the first epoch.

        Raises:
            InputError: the features do not have the channel dimension that the backbone states.
        """
        settings, copies = self.settings, self.make_copies(backbone)
        # Needed only after the training, but errors should come before it.
        copies.channel_dims = channel_dims(copies, self.training_set[0][0][None].to(self.device))
        self.ranks.copy_from_first(copies.state_dict().values())
        synchronise_batch_norm(copies, self.ranks)
        copies.set_execution(candidates=settings.candidates, checkpoint_activations=settings.checkpoint_activations)
        settings.compute.prepare(copies)
        return CopyTrainingState(
            copies, settings.weights.make(copies.parameters()), settings.compute.scaler(self.device)
        )

    def run(
        self,
        state: CopyTrainingState,
        checkpoints: CheckpointFolder,
        on_epoch: Callable[[CopyTrainingRecord], None],
        look: Callable[[Supernet], Look] | None = None,
    ) -> None:
        """Train from the state's epoch to the last one, or until the training has `settled`.

        Args:
            look: called after every epoch, on rank 0; needed if the settings have a patience. Whether to stop depends
                only on the history, which the checkpoints hold.
        """
        patience, num_epochs = self.settings.patience, self.settings.epochs
        if patience is None:
            run_epochs(state, num_epochs, self.train_epoch, checkpoints, on_epoch, ranks=self.ranks)
            return
        assert look is not None

        def train_epoch(state: CopyTrainingState, epoch: int) -> CopyTrainingRecord:
            record = self.train_epoch(state, epoch)
            record.update(self.ranks.call_on_first(lambda: look(state.copies)))
            return record

        while state.num_epochs < num_epochs and not settled(state.history, patience):
            run_epochs(state, state.num_epochs + 1, train_epoch, checkpoints, on_epoch, ranks=self.ranks)

    def train_epoch(self, state: CopyTrainingState, epoch: int) -> CopyTrainingRecord:
        """One pass over the settings' splits."""
        num_steps = self.num_steps
        losses = EpochLosses(self.tasks, epoch, lambda: self._loader(epoch))
        with seeded(derive_seed(self.seed, "own copies", epoch, *self.ranks.seed_suffix), self.device):
            state.copies.train()
            for step, batch in enumerate(self.batches(epoch)):
                progress = (epoch + step / num_steps) / self.settings.epochs
                set_learning_rate(state.optimizer, self.settings.schedule.factor(min(progress, 1.0)))
                losses.add(self.step(state, batch))
        means = {name: mean_of(steps) for name, steps in sorted(losses.by_task().items())}
        total = sum(task.weight * means.get(task.name, 0.0) for task in self.tasks)
        return {"epoch": epoch, "phase": "own copies", "weights": {"total": total, "tasks": means}}

    def step(self, state: CopyTrainingState, batch: Batch) -> dict[str, Tensor]:
        """Update all copies on one batch (or this rank's part of it), except those of tasks without labels in it.

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
        """One step on the first batch.

        Returns:
            each task's loss (of its first copy), and the predicted seconds of the whole training.
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
        return ConcatenatedDataset([self.data.split(name) for name in self.settings.splits])

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, or this rank's part of each, on the device."""
        return (batch.to(self.device) for batch in self._loader(epoch, self.ranks.shard))

    def _loader(self, epoch: int, shard: tuple[int, int] = (0, 1)) -> Iterable[Batch]:
        return batches(
            *(self.training_set, self.settings.batch_size),
            seed=derive_seed(self.seed, "own copies"),
            epoch=epoch,
            shuffle=True,
            num_workers=self.num_workers,
            shard=shard,
        )
