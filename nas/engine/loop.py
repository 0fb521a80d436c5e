"""The loop of every training: epochs, a checkpoint after each, the best of them, and how to resume.

A training has a state, which extends `LoopState`, and a function that trains it for one epoch and returns a plain
record of that epoch; `run_epochs` does the rest.
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch

from nas.engine.checkpoint import CheckpointFolder
from nas.engine.ranks import SINGLE_PROCESS, Ranks
from nas.errors import InputError, in_one_line

Record = TypeVar("Record", bound=Mapping[str, Any])
State = TypeVar("State", bound="LoopState[Any]")


@dataclass(kw_only=True)
class LoopState(ABC, Generic[Record]):
    """The progress of a training; a subclass adds the networks and optimisers that an epoch changes.

    ``best_loss`` is the lowest score, reached after ``best_epoch`` epochs; ``history`` has one plain record per epoch.
    """

    num_epochs: int = 0
    best_epoch: int | None = None
    best_loss: float = math.inf
    history: list[Record] = field(default_factory=list)

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Tensors and plain values for a checkpoint, without ``num_epochs``, which `CheckpointFolder.save` adds."""

    @abstractmethod
    def load(self, record: Mapping[str, Any], where: str) -> None:
        """Restore a checkpoint's record; InputError naming `where` if it belongs to another training."""

    def progress(self) -> dict[str, Any]:
        """The fields of this class, as `record` has them."""
        return {"best_epoch": self.best_epoch, "best_loss": self.best_loss, "history": self.history}

    def load_progress(self, record: Mapping[str, Any]) -> None:
        """Restore the fields of this class. Call it within `explaining_checkpoint`."""
        self.num_epochs, self.best_epoch = int(record["num_epochs"]), record["best_epoch"]
        self.best_loss, self.history = float(record["best_loss"]), list(record["history"])
        if not all(isinstance(epoch, dict) for epoch in self.history):
            raise ValueError("its history is not a list of records")
        json.dumps(self.history)  # a TypeError unless it is plain
        if not isinstance(self.best_epoch, int | None):
            raise ValueError(f"its best epoch is {self.best_epoch!r}")


@contextmanager
def explaining_checkpoint(what: str, where: str) -> Iterator[None]:
    """Turn any error of loading a checkpoint into an InputError: ``where`` has no checkpoint of ``what``."""
    try:
        yield
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError) as error:
        raise InputError(f"{where}: not a checkpoint of {what} ({in_one_line(error)})") from error


def resume(state: LoopState[Any], checkpoints: CheckpointFolder, ranks: Ranks = SINGLE_PROCESS) -> bool:
    """Load rank 0's latest checkpoint on every rank; False if there is none."""
    saved = ranks.call_on_first(checkpoints.latest)
    if saved is not None:
        state.load(saved, str(checkpoints.folder))
    return saved is not None


def run_epochs(
    state: State,
    num_epochs: int,
    train_epoch: Callable[[State, int], Record],
    checkpoints: CheckpointFolder,
    on_epoch: Callable[[Record], None],
    *,
    score: Callable[[Record], float | None] = lambda record: None,
    patience: int | None = None,
    ranks: Ranks = SINGLE_PROCESS,
) -> None:
    """Train from the state's epoch to the last one; rank 0 writes a checkpoint after each.

    Args:
        train_epoch: trains the state for one epoch, whose number counts from 0.
        on_epoch: called with the epoch's record after its checkpoint.
        score: of an epoch; lower is better, and None does not count.
        patience: stop after so many epochs without a better score.
    """
    while state.num_epochs < num_epochs:
        if patience is not None and state.num_epochs - (state.best_epoch or 0) >= patience:
            return
        record = train_epoch(state, state.num_epochs)
        state.num_epochs += 1
        state.history.append(record)
        loss = score(record)
        if loss is not None and loss < state.best_loss:
            state.best_loss, state.best_epoch = loss, state.num_epochs
        if ranks.is_first:
            checkpoints.save(state.num_epochs, state.record(), state.best_epoch)
        on_epoch(record)


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's generators, and restore those of the CPU and of the device afterwards."""
    with torch.random.fork_rng(devices=[device] if device is not None and device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
