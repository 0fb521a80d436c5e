"""The joint search: trains weights and logits on the same batches, with a checkpoint after every epoch."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nas.cost import expected_parent_cost
from nas.data import Dataset, derive_seed
from nas.data.concatenated import ConcatenatedDataset
from nas.discretize import count_changed_parents
from nas.engine.checkpoint import CheckpointFolder
from nas.engine.loop import run_epochs, seeded
from nas.networks.supernet import ParentSupernet, sample_parents
from nas.strategies.parents.diagnostics import ancestor_probabilities, drift, entropies
from nas.strategies.parents.settings import ParentSettings
from nas.strategies.parents.state import ParentRecord, ParentState
from nas.strategies.parents.steps import joint_step, weight_step
from nas.strategies.supernet_search import SupernetSearch

_PASS = "joint"


@dataclass(eq=False)
class JointSearch(SupernetSearch[ParentSettings]):
    """Trains weights and logits together; `ParentState` holds what changes."""

    def samples(self, name: str) -> Dataset:
        """The settings' splits as one."""
        return ConcatenatedDataset([self.data.split(split) for split in self.settings.splits])

    def start(self, supernet: ParentSupernet) -> ParentState:
        """The state before the first epoch, with undecided logits."""
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "logits"))
        state = ParentState.start(supernet, self.settings, self.device, self.ranks, generator)
        return replace(state, penalty=self.settings.penalty.initial_state(self.expected_cost(state)))

    def run(self, state: ParentState, checkpoints: CheckpointFolder, on_epoch: Callable[[ParentRecord], None]) -> None:
        """Train from the state's epoch to the last one."""
        run_epochs(state, self.settings.epochs, self.train_epoch, checkpoints, on_epoch, ranks=self.ranks)

    def train_epoch(self, state: ParentState, epoch: int) -> ParentRecord:
        """One pass over the splits."""
        settings, num_steps = self.settings, self._num_steps(_PASS)
        warm = epoch < settings.warmup_epochs
        last = 1.0 if warm else self._temperature(epoch, num_steps - 1)
        before = [logits_KJ.clone() for logits_KJ in state.log_probabilities(settings.sampler, last)]
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "routing", epoch))
        losses = self._losses(_PASS, epoch)
        with seeded(derive_seed(self.seed, "dropout", epoch, *self.ranks.seed_suffix), self.device):
            state.supernet.train()
            for step, batch in enumerate(self._batches(_PASS, epoch)):
                # In the warm-up only the logits' order counts, which the temperature does not change.
                temperature = 1.0 if warm else self._temperature(epoch, step)
                routings = self._sample(state, temperature, generator)
                if warm:
                    seen = weight_step(state, batch, routings, self.tasks, settings, self.ranks)
                else:
                    progress = min((epoch - settings.warmup_epochs + step / num_steps) / self._num_searched, 1.0)
                    seen = joint_step(
                        *(state, batch, routings, self.tasks, settings, self.table, self.target, progress),
                        resource=self.resource,
                        temperature=temperature,
                        generator=generator,
                        ranks=self.ranks,
                    )
                # Report it now: from the next step on the logits are NaN, and their expected cost fails.
                losses.add(seen, at_once=True)
        after = state.log_probabilities(settings.sampler, last)
        return {
            "epoch": epoch,
            "phase": "warm-up" if warm else "search",
            "temperature": None if warm or not settings.sampler.has_temperature else last,
            "weights": self._means(losses),
            "expected_cost": self.expected_cost(state, last),
            "budget": self.target,
            "penalty": state.penalty.to_dict(),
            "entropy": entropies(after),
            "probabilities": ancestor_probabilities(after),
            "changed_choices": count_changed_parents(before, after),
            "drift": drift(before, after),
        }

    def expected_cost(self, state: ParentState, temperature: float = 1.0) -> float:
        """Expected cost under the probabilities of the parents, in the goal's resource."""
        logits = state.log_probabilities(self.settings.sampler, temperature)
        probs = [torch.softmax(logits_KJ, dim=-1) for logits_KJ in logits]
        return expected_parent_cost(probs, self.table, self.resource).item()

    def try_step(self, state: ParentState) -> tuple[dict[str, float], float]:
        """One step of weights and logits on the first batch, as in the first epoch after the warm-up.

        Returns:
            the losses by task, and the predicted seconds of the whole search (the steps of the warm-up are counted in
            full, though they are cheaper).
        """
        epoch = self.settings.warmup_epochs
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "routing", epoch))
        state.supernet.train()
        start = time.perf_counter()
        batch = next(iter(self._batches(_PASS, epoch)))
        temperature = self._temperature(epoch, 0)
        routings = self._sample(state, temperature, generator)
        seen = joint_step(
            *(state, batch, routings, self.tasks, self.settings, self.table, self.target, 0.0),
            resource=self.resource,
            temperature=temperature,
        )
        losses = {name: loss.item() for name, loss in seen.items()}
        return losses, self.settings.epochs * self._num_steps(_PASS) * (time.perf_counter() - start)

    @property
    def _num_searched(self) -> int:
        """Number of epochs after the warm-up."""
        return self.settings.epochs - self.settings.warmup_epochs

    def _temperature(self, epoch: int, step: int) -> float:
        searched = epoch - self.settings.warmup_epochs
        total = searched * self._num_steps(_PASS) + step
        return self.settings.temperature.at(searched, total, self._num_searched)

    def _sample(self, state: ParentState, temperature: float, generator: torch.Generator) -> list[Tensor]:
        sampled = sample_parents(
            *(state.logits, state.supernet.nodes, temperature), sampler=self.settings.sampler, generator=generator
        )
        return [self.ranks.broadcast(routing_KJ) for routing_KJ in sampled]
