"""The state of a search: everything that changes while it runs, and how it is stored."""

import json
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nas.cost.penalty import PenaltyState
from nas.engine import SINGLE_PROCESS, Ranks, synchronise_batch_norm
from nas.errors import InputError, in_one_line
from nas.networks.supernet import Supernet
from nas.strategies.gradient.settings import GradientSettings


@dataclass
class SearchState:
    """Weights, logits, their optimisers, the loss's scale, the penalty's dual variable, and how far the search is.

    ``logits_LTC`` is a leaf on the supernet's device. ``history`` holds one plain record per finished epoch.
    """

    supernet: Supernet
    logits_LTC: Tensor
    weight_optimizer: torch.optim.Optimizer
    logits_optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    penalty: PenaltyState
    num_epochs: int = 0
    best_epoch: int | None = None
    best_loss: float = float("inf")
    history: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def start(
        cls, supernet: Supernet, settings: GradientSettings, device: torch.device, ranks: Ranks = SINGLE_PROCESS
    ) -> "SearchState":
        """Uniform logits and fresh optimisers; the supernet is computed as the settings say, the same on all ranks."""
        supernet.to(device)
        ranks.copy_from_first(supernet.state_dict().values())
        synchronise_batch_norm(supernet, ranks)
        settings.compute.prepare(supernet)
        supernet.set_execution(candidates=settings.candidates, checkpoint_activations=settings.checkpoint_activations)
        shape = (supernet.num_blocks, len(supernet.task_names), supernet.num_candidates)
        logits_LTC = torch.zeros(shape, device=device, requires_grad=True)
        return cls(
            supernet,
            logits_LTC,
            settings.weights.make(supernet.parameters()),
            settings.logits.make([logits_LTC]),
            settings.compute.scaler(device),
            PenaltyState(initial_cost=0.0),
        )

    def reset_optimizers(self, settings: GradientSettings) -> None:
        """Forget moments and step counts of both optimisers."""
        self.weight_optimizer = settings.weights.make(self.supernet.parameters())
        self.logits_optimizer = settings.logits.make([self.logits_LTC])

    def record(self) -> dict[str, Any]:
        """Tensors and plain values alone, for a checkpoint."""
        return {
            "tasks": list(self.supernet.task_names),
            "supernet": self.supernet.state_dict(),
            "logits_LTC": self.logits_LTC.detach(),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "logits_optimizer": self.logits_optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "penalty": self.penalty.to_dict(),
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "history": self.history,
        }

    def load(self, record: dict[str, Any], where: str) -> None:
        """Take over a checkpoint's record; one of another architecture is an InputError naming `where`."""
        try:
            # The rows of the logits are in this order, which the names of the weights do not tell.
            if list(record["tasks"]) != list(self.supernet.task_names):
                raise ValueError(f"its tasks are {record['tasks']}, here they are {list(self.supernet.task_names)}")
            if record["logits_LTC"].shape != self.logits_LTC.shape:
                raise ValueError(
                    f"its logits are {list(record['logits_LTC'].shape)}, here they are {list(self.logits_LTC.shape)}"
                )
            self.supernet.load_state_dict(record["supernet"])
            with torch.no_grad():
                self.logits_LTC.copy_(record["logits_LTC"])
            self.weight_optimizer.load_state_dict(record["weight_optimizer"])
            self.logits_optimizer.load_state_dict(record["logits_optimizer"])
            self.scaler.load_state_dict(record["scaler"])
            self.penalty = PenaltyState.from_dict(record["penalty"])
            self.num_epochs, self.best_epoch = int(record["num_epochs"]), record["best_epoch"]
            self.best_loss, self.history = float(record["best_loss"]), list(record["history"])
            if not all(isinstance(epoch, dict) for epoch in self.history):
                raise ValueError("its history is not a list of records")
            json.dumps(self.history)  # a TypeError unless it is plain
            if not isinstance(self.best_epoch, int | None):
                raise ValueError(f"its best epoch is {self.best_epoch!r}")
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError) as error:
            raise InputError(
                f"{where}: not a checkpoint of this experiment's supernet ({in_one_line(error)})"
            ) from error
