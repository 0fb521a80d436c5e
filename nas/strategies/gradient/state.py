"""The state of a search: everything that changes while it runs, and what a checkpoint holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import torch
from torch import Tensor

from nas.cost.penalty import PenaltyState
from nas.engine import SINGLE_PROCESS, Ranks
from nas.networks.supernet import Supernet
from nas.strategies.gradient.settings import GradientSettings
from nas.strategies.supernet_state import SupernetState, share_supernet
from nas.tasks.epoch_losses import MeanLosses


class SearchRecord(TypedDict):
    """One epoch of a search, as ``metrics.jsonl`` has it.

    ``temperature`` and ``architecture`` are None in the warm-up, which does not train the logits. ``entropy`` has a
    value for each block, and ``changed_choices`` counts the arg-max choices that the epoch changed. ``probabilities``
    are those of the candidates, [L, T, C], after the epoch.
    """

    epoch: int
    phase: Literal["warm-up", "search"]
    temperature: float | None
    weights: MeanLosses
    architecture: MeanLosses | None
    expected_cost: float
    budget: float | None
    penalty: dict[str, float]
    entropy: list[float]
    probabilities: list[list[list[float]]] | None
    changed_choices: int
    drift: float


@dataclass
class SearchState(SupernetState[SearchRecord]):
    """The state of a supernet's search, with the logits.

    ``logits_LTP`` is a leaf on the supernet's device: the P parameters of each choice, as the sampler wants them. For
    Gumbel-softmax these are the C logits.
    """

    supernet: Supernet
    logits_LTP: Tensor

    @classmethod
    def start(
        cls,
        supernet: Supernet,
        settings: GradientSettings,
        device: torch.device,
        ranks: Ranks = SINGLE_PROCESS,
        generator: torch.Generator | None = None,
    ) -> "SearchState":
        """Undecided logits and fresh optimisers; the supernet is set up by the settings, with rank 0's weights.

        Args:
            generator: random numbers of a sampler that starts from random parameters; the same on all ranks.
        """
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        share_supernet(supernet, device, ranks)
        settings.compute.prepare(supernet)
        supernet.set_execution(candidates=settings.candidates, checkpoint_activations=settings.checkpoint_activations)
        shape = (supernet.num_blocks, len(supernet.task_names))
        started = settings.sampler.start(shape, supernet.num_candidates, generator)
        logits_LTP = started.to(device).requires_grad_()
        return cls(
            supernet=supernet,
            logits_LTP=logits_LTP,
            weight_optimizer=settings.weights.make(supernet.parameters()),
            logits_optimizer=settings.logits.make([logits_LTP]),
            scaler=settings.compute.scaler(device),
            penalty=PenaltyState(initial_cost=0.0),
        )

    def reset_optimizers(self, settings: GradientSettings) -> None:
        """Reset the moments and step counts of both optimisers."""
        self.weight_optimizer = settings.weights.make(self.supernet.parameters())
        self.logits_optimizer = settings.logits.make([self.logits_LTP])

    def logits_record(self) -> dict[str, Any]:
        return {"logits_LTC": self.logits_LTP.detach()}

    def load_logits(self, record: Mapping[str, Any]) -> None:
        if record["logits_LTC"].shape != self.logits_LTP.shape:
            raise ValueError(
                f"its logits are {list(record['logits_LTC'].shape)}, here they are {list(self.logits_LTP.shape)}"
            )
        with torch.no_grad():
            self.logits_LTP.copy_(record["logits_LTC"])
