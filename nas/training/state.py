"""Everything that changes while a network is trained, which is what a checkpoint holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import torch

from nas.engine import SINGLE_PROCESS, Ranks, synchronise_batch_norm
from nas.engine.loop import LoopState, explaining_checkpoint
from nas.errors import InputError
from nas.networks.branched import BranchedNetwork
from nas.tasks.epoch_losses import MeanLosses
from nas.training.aggregate import NodeAggregation, parameters_by_group
from nas.training.average import WeightAverage
from nas.training.balance import LossBalance, make_balance
from nas.training.measured import Measured
from nas.training.settings import TrainingSettings


class ValidationRecord(TypedDict):
    """What was measured on the validation split, and the weighted sum of its losses."""

    total: float
    tasks: Measured


class TrainingRecord(TypedDict):
    """One epoch of a training, as ``metrics.jsonl`` has it."""

    epoch: int
    training: MeanLosses
    validation: ValidationRecord


@dataclass
class TrainingState(LoopState[TrainingRecord]):
    """Network, optimiser, and the progress of the training. Parts that the settings do not ask for are None."""

    network: BranchedNetwork
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: WeightAverage | None = None
    balance: LossBalance | None = None
    aggregation: NodeAggregation | None = None

    @classmethod
    def start(
        cls, network: BranchedNetwork, settings: TrainingSettings, ranks: Ranks = SINGLE_PROCESS
    ) -> "TrainingState":
        """The state before the first epoch, for a network on its device; all ranks start from rank 0's weights."""
        tasks = network.tree.tasks
        settings = settings.for_tasks(len(tasks))
        device = next(network.parameters()).device
        ranks.copy_from_first(network.state_dict().values())
        synchronise_batch_norm(network, ranks)
        settings.compute.prepare(network)
        if settings.aggregate != "none" and settings.compute.compile:
            # The backward passes of the tasks share saved tensors, which compiled code would overwrite.
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
        """The network that is evaluated and kept: the average of the weights if there is one."""
        return self.network if self.average is None else self.average.network

    def record(self) -> dict[str, Any]:
        """The state as tensors and plain values, for a checkpoint; its ``network`` is `result`."""
        record = {
            # `load_network` reads it by this name.
            "network": self.result.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            **self.progress(),
        }
        if self.average is not None:
            record |= {"trained_network": self.network.state_dict(), "averaged_steps": self.average.num_steps}
        return record | {name: part.state_dict() for name, part in self._parts().items()}

    def load(self, record: Mapping[str, Any], where: str) -> None:
        load_network(self.result, record, where)
        if self.average is not None:
            load_network(self.network, {"network": record.get("trained_network")}, where)
        with explaining_checkpoint("this training", where):
            self.optimizer.load_state_dict(record["optimizer"])
            if self.average is not None:
                self.average.num_steps = int(record["averaged_steps"])
            for name, part in self._parts().items():
                part.load_state_dict(record[name])
            self.load_progress(record)
            if self.best_epoch is None:
                raise ValueError("it has no best epoch")

    def _parts(self) -> dict[str, Any]:
        """The other parts with a state of their own, by name."""
        scaler = self.scaler if self.scaler.is_enabled() else None
        parts = {"balance": self.balance, "aggregation": self.aggregation, "scaler": scaler}
        return {name: part for name, part in parts.items() if part is not None}


def load_network(network: BranchedNetwork, record: Mapping[str, Any], where: str) -> None:
    """Load a checkpoint's weights into a network; InputError naming `where` if they belong to another network."""
    try:
        network.load_state_dict(record["network"])
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        raise InputError(f"{where}: its weights do not fit the network of this tree ({reason})") from error


def parameter_groups(network: BranchedNetwork, settings: TrainingSettings) -> list[dict[str, Any]]:
    """The parameters as groups for the optimiser: one group per number of tasks if their rate is divided by it."""
    if settings.shared_lr == "same":
        # One group instead of several with the same rate, because each group costs time in every step.
        return [{"params": list(network.parameters()), "lr": settings.optimizer.lr}]
    by_sharing: dict[int, list[torch.nn.Parameter]] = {}
    for group, parameters in parameters_by_group(network).items():
        by_sharing.setdefault(len(group), []).extend(parameters)
    return [
        {"params": parameters, "lr": settings.optimizer.lr / num_tasks}
        for num_tasks, parameters in sorted(by_sharing.items())
    ]
