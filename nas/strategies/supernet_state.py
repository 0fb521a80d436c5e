"""What changes in a search that trains a supernet and its logits, and what its checkpoints hold."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from nas.cost.penalty import PenaltyState
from nas.engine import Ranks, synchronise_batch_norm
from nas.engine.loop import LoopState, explaining_checkpoint
from nas.networks.supernet import ParentSupernet, Supernet

Record = TypeVar("Record", bound=Mapping[str, Any])
AnySupernet = Supernet | ParentSupernet


@dataclass
class SupernetState(LoopState[Record]):
    """Weights, both optimisers, the loss scale, the penalty's dual variable, and the progress of the search.

    A subclass adds the logits, which are leaves on the supernet's device.
    """

    supernet: AnySupernet
    weight_optimizer: torch.optim.Optimizer
    logits_optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    penalty: PenaltyState

    @abstractmethod
    def logits_record(self) -> dict[str, Any]:
        """The logits' entries of a checkpoint."""

    @abstractmethod
    def load_logits(self, record: Mapping[str, Any]) -> None:
        """Restore the logits; ValueError if they are of another shape."""

    def record(self) -> dict[str, Any]:
        """The state as tensors and plain values, for a checkpoint."""
        return {
            "tasks": list(self.supernet.task_names),
            "supernet": self.supernet.state_dict(),
            **self.logits_record(),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "logits_optimizer": self.logits_optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "penalty": self.penalty.to_dict(),
            **self.progress(),
        }

    def load(self, record: Mapping[str, Any], where: str) -> None:
        with explaining_checkpoint("this experiment's supernet", where):
            # The rows of the logits have this order, and the names of the weights do not show it.
            if list(record["tasks"]) != list(self.supernet.task_names):
                raise ValueError(f"its tasks are {record['tasks']}, here they are {list(self.supernet.task_names)}")
            self.load_logits(record)
            self.supernet.load_state_dict(record["supernet"])
            self.weight_optimizer.load_state_dict(record["weight_optimizer"])
            self.logits_optimizer.load_state_dict(record["logits_optimizer"])
            self.scaler.load_state_dict(record["scaler"])
            self.penalty = PenaltyState.from_dict(record["penalty"])
            self.load_progress(record)


def share_supernet(supernet: AnySupernet, device: torch.device, ranks: Ranks) -> None:
    """Move a supernet to its device, with rank 0's weights on every rank."""
    supernet.to(device)
    ranks.copy_from_first(supernet.state_dict().values())
    synchronise_batch_norm(supernet, ranks)
