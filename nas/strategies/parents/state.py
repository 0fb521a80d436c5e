"""The state of a search by parent choice: everything that changes while it runs, and what a checkpoint holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import torch
from torch import Tensor

from nas.cost.penalty import PenaltyState
from nas.engine import SINGLE_PROCESS, Ranks
from nas.networks.supernet import ParentSupernet
from nas.networks.supernet.samplers import Sampler
from nas.strategies.parents.settings import ParentSettings
from nas.strategies.supernet_state import SupernetState, share_supernet
from nas.tasks.epoch_losses import MeanLosses


class ParentRecord(TypedDict):
    """One epoch of a search, as ``metrics.jsonl`` has it.

    ``temperature`` is that of the last step, and None in the warm-up, which does not train the logits. ``entropy`` has
    a value for each block, and ``changed_choices`` counts the readers whose most probable parent the epoch changed.
    ``probabilities`` has, for each block and task, the probability that the task descends from each of its nodes.
    """

    epoch: int
    phase: Literal["warm-up", "search"]
    temperature: float | None
    weights: MeanLosses
    expected_cost: float
    budget: float | None
    penalty: dict[str, float]
    entropy: list[float]
    probabilities: list[list[list[float]]] | None
    changed_choices: int
    drift: float


@dataclass
class ParentState(SupernetState[ParentRecord]):
    """The state of a supernet's search, with the parameters of each block's choices, [readers, P].

    For Gumbel-softmax these are logits, [readers, nodes].
    """

    supernet: ParentSupernet
    logits: tuple[Tensor, ...]

    @classmethod
    def start(
        cls,
        supernet: ParentSupernet,
        settings: ParentSettings,
        device: torch.device,
        ranks: Ranks = SINGLE_PROCESS,
        generator: torch.Generator | None = None,
    ) -> "ParentState":
        """Undecided logits and fresh optimisers; the supernet is set up by the settings, with rank 0's weights.

        Args:
            generator: random numbers of a sampler that starts from random parameters; the same on all ranks.
        """
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        share_supernet(supernet, device, ranks)
        settings.compute.prepare(supernet)
        supernet.set_execution(checkpoint_activations=settings.checkpoint_activations)
        logits = tuple(
            settings.sampler.start((readers,), num_nodes, generator).to(device).requires_grad_()
            for readers, num_nodes in supernet.shapes
        )
        return cls(
            supernet=supernet,
            logits=logits,
            weight_optimizer=settings.weights.make(supernet.parameters()),
            logits_optimizer=settings.logits.make(logits),
            scaler=settings.compute.scaler(device),
            penalty=PenaltyState(initial_cost=0.0),
        )

    def log_probabilities(self, sampler: Sampler, temperature: float) -> list[Tensor]:
        """Logits of each block whose softmax is the probability of each parent, [readers, nodes], detached."""
        return [
            sampler.log_probabilities(logits_KP.detach(), num_nodes, temperature)
            for logits_KP, num_nodes in zip(self.logits, self.supernet.nodes, strict=True)
        ]

    def logits_record(self) -> dict[str, Any]:
        return {"logits": [logits_KJ.detach() for logits_KJ in self.logits]}

    def load_logits(self, record: Mapping[str, Any]) -> None:
        found, here = _shapes(record["logits"]), _shapes(self.logits)
        if found != here:
            raise ValueError(f"its logits are {found}, here they are {here}")
        with torch.no_grad():
            for logits_KJ, saved_KJ in zip(self.logits, record["logits"], strict=True):
                logits_KJ.copy_(saved_KJ)


def _shapes(logits: Sequence[Tensor]) -> list[list[int]]:
    return [list(logits_KJ.shape) for logits_KJ in logits]
