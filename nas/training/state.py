"""What changes while a network is trained: all of it, and all that a checkpoint holds."""

import json
from dataclasses import dataclass, field
from typing import Any

import torch

from nas.engine import SINGLE_PROCESS, Ranks, synchronise_batch_norm
from nas.errors import InputError, in_one_line
from nas.networks.branched import BranchedNetwork
from nas.training.aggregate import NodeAggregation, parameters_by_group
from nas.training.average import WeightAverage
from nas.training.balance import LossBalance, make_balance
from nas.training.settings import TrainingSettings


@dataclass
class TrainingState:
    """Network, optimiser, and how far the training is. ``history`` holds one plain record per finished epoch.

    What the settings leave out is None.
    """

    network: BranchedNetwork
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: WeightAverage | None = None
    balance: LossBalance | None = None
    aggregation: NodeAggregation | None = None
    num_epochs: int = 0
    best_epoch: int | None = None
    best_loss: float = float("inf")
    history: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def start(
        cls, network: BranchedNetwork, settings: TrainingSettings, ranks: Ranks = SINGLE_PROCESS
    ) -> "TrainingState":
        """A training that has not begun, of a network that lies on its device; all ranks start from rank 0's."""
        tasks = network.tree.tasks
        settings = settings.for_tasks(len(tasks))
        device = next(network.parameters()).device
        ranks.copy_from_first(network.state_dict().values())
        synchronise_batch_norm(network, ranks)
        settings.compute.prepare(network)
        if settings.aggregate != "none" and settings.compute.compile:
            # Each task's backward pass needs what the others' have used, which compiled code would overwrite.
            torch._functorch.config.donated_buffer = False
        return cls(
            network,
            settings.optimizer.make(parameter_groups(network, settings)),
            settings.compute.scaler(device),
            None if settings.ema is None else WeightAverage(network, settings.ema),
            make_balance(settings.balance, tasks, settings.optimizer, device),
            None if settings.aggregate == "none" else NodeAggregation(settings.aggregate, network),
        )

    @property
    def result(self) -> BranchedNetwork:
        """The network that is measured and kept: the average of the weights where there is one."""
        return self.network if self.average is None else self.average.network

    def record(self) -> dict[str, Any]:
        """Tensors and plain values alone, for a checkpoint; ``network`` is the result."""
        record = {
            "network": self.result.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "history": self.history,
        }
        if self.average is not None:
            record |= {"trained_network": self.network.state_dict(), "averaged_steps": self.average.num_steps}
        return record | {name: part.state_dict() for name, part in self._parts().items()}

    def load(self, record: dict[str, Any], where: str) -> None:
        """Take over a checkpoint's record; one of another network is an InputError naming `where`."""
        load_network(self.result, record, where)
        if self.average is not None:
            load_network(self.network, {"network": record.get("trained_network")}, where)
        try:
            self.optimizer.load_state_dict(record["optimizer"])
            if self.average is not None:
                self.average.num_steps = int(record["averaged_steps"])
            for name, part in self._parts().items():
                part.load_state_dict(record[name])
            self.num_epochs, self.best_epoch = int(record["num_epochs"]), record["best_epoch"]
            self.best_loss, self.history = float(record["best_loss"]), list(record["history"])
            if not all(isinstance(epoch, dict) for epoch in self.history):
                raise ValueError("its history is not a list of records")
            json.dumps(self.history)  # a TypeError unless it is plain
            if not isinstance(self.best_epoch, int):
                raise ValueError(f"its best epoch is {self.best_epoch!r}")
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError) as error:
            raise InputError(f"{where}: not a checkpoint of this training ({in_one_line(error)})") from error

    def _parts(self) -> dict[str, Any]:
        """What beside the network and its optimiser goes on from where it was."""
        scaler = self.scaler if self.scaler.is_enabled() else None
        parts = {"balance": self.balance, "aggregation": self.aggregation, "scaler": scaler}
        return {name: part for name, part in parts.items() if part is not None}


def load_network(network: BranchedNetwork, record: dict[str, Any], where: str) -> None:
    """Load a checkpoint's weights into a network; another network's are an InputError naming `where`."""
    try:
        network.load_state_dict(record["network"])
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        raise InputError(f"{where}: holds no weights of this tree's network ({reason})") from error


def parameter_groups(network: BranchedNetwork, settings: TrainingSettings) -> list[dict[str, Any]]:
    """The network's parameters for the optimiser: by how many tasks use them, if their rate is divided by it."""
    if settings.shared_lr == "same":
        # One group, not several of the same rate: an optimiser takes its time for each.
        return [{"params": list(network.parameters()), "lr": settings.optimizer.lr}]
    by_sharing: dict[int, list[torch.nn.Parameter]] = {}
    for group, parameters in parameters_by_group(network).items():
        by_sharing.setdefault(len(group), []).extend(parameters)
    return [
        {"params": parameters, "lr": settings.optimizer.lr / num_tasks}
        for num_tasks, parameters in sorted(by_sharing.items())
    ]
