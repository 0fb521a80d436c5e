"""The bilevel search: trains logits and weights on two splits in turn, with a checkpoint after every epoch."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nas.cost import expected_cost
from nas.data import Dataset, derive_seed
from nas.discretize import count_changed_choices
from nas.engine.checkpoint import CheckpointFolder
from nas.engine.loop import run_epochs, seeded
from nas.networks.supernet import Supernet, own_copy_routing, reset_running_statistics
from nas.strategies.gradient.diagnostics import drift, entropy_L, probabilities_LTC
from nas.strategies.gradient.settings import GradientSettings
from nas.strategies.gradient.state import SearchRecord, SearchState
from nas.strategies.gradient.steps import logits_step, weight_step
from nas.strategies.supernet_search import SupernetSearch
from nas.tasks.epoch_losses import MeanLosses


@dataclass(eq=False)
class BilevelSearch(SupernetSearch[GradientSettings]):
    """Trains the logits on one split and the weights on another; `SearchState` holds what changes."""

    def start(self, supernet: Supernet, logits_LTC: Tensor | None = None) -> SearchState:
        """The state before the first epoch, with these logits (undecided by default) and fresh optimisers."""
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "logits"))
        state = SearchState.start(supernet, self.settings, self.device, self.ranks, generator)
        if logits_LTC is not None:
            with torch.no_grad():
                state.logits_LTP.copy_(self.ranks.broadcast(logits_LTC))
        return replace(state, penalty=self.settings.penalty.initial_state(self.expected_cost(state)))

    def run(self, state: SearchState, checkpoints: CheckpointFolder, on_epoch: Callable[[SearchRecord], None]) -> None:
        """Train from the state's epoch to the last one. The best epoch has the lowest loss on the logits' split."""
        run_epochs(
            *(state, self.settings.epochs, self.train_epoch, checkpoints, on_epoch),
            score=lambda record: record["architecture"]["total"] if record["architecture"] else None,
            ranks=self.ranks,
        )

    def train_epoch(self, state: SearchState, epoch: int) -> SearchRecord:
        """One pass over the logits' split (after the warm-up), then one over the weights' split."""
        settings = self.settings
        before_LTC = self.logits_LTC(state, epoch).clone()
        warm = epoch < settings.warmup_epochs
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "routing", epoch))
        with seeded(derive_seed(self.seed, "dropout", epoch, *self.ranks.seed_suffix), self.device):
            state.supernet.train()
            if settings.reset_optimizers:
                state.reset_optimizers(settings)
            architecture = None if warm else self._logits_pass(state, epoch, generator)
            weights = self._weights_pass(state, epoch, generator, warm)
        after_LTC = self.logits_LTC(state, epoch)
        return {
            "epoch": epoch,
            "phase": "warm-up" if warm else "search",
            "temperature": None if warm or not settings.sampler.has_temperature else settings.temperature_at(epoch),
            "weights": weights,
            "architecture": architecture,
            "expected_cost": self.expected_cost(state, epoch),
            "budget": self.target,
            "penalty": state.penalty.to_dict(),
            "entropy": entropy_L(after_LTC).tolist(),
            "probabilities": probabilities_LTC(after_LTC),
            "changed_choices": count_changed_choices(before_LTC, after_LTC),
            "drift": drift(before_LTC, after_LTC),
        }

    def logits_LTC(self, state: SearchState, epoch: int) -> Tensor:
        """Logits whose softmax is the probability of each candidate at an epoch, detached."""
        settings = self.settings
        return settings.sampler.log_probabilities(
            state.logits_LTP.detach(), state.supernet.num_candidates, settings.temperature_at(epoch)
        )

    def expected_cost(self, state: SearchState, epoch: int = 0) -> float:
        """Expected cost under the probabilities of the candidates at an epoch, in the goal's resource."""
        probs_LTC = torch.softmax(self.logits_LTC(state, epoch), dim=-1)
        return expected_cost(probs_LTC, self.table, self.resource).item()

    def try_steps(self, state: SearchState) -> tuple[dict[str, float], float]:
        """One weight step and one logits step on the first batches, as in the first epoch after the warm-up.

        Returns:
            the losses of the weight step by task, and the predicted seconds of the whole search (the steps of the
            warm-up are counted in full, though they are cheaper).
        """
        settings, epoch = self.settings, self.settings.warmup_epochs
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "routing", epoch))
        state.supernet.train()
        start = time.perf_counter()
        batch = next(iter(self._batches("architecture", epoch)))
        routing_LTC = self._sample(state, epoch, generator)
        logits_step(
            *(state, batch, routing_LTC, self.tasks, settings, self.table, self.target, 0.0),
            resource=self.resource,
            temperature=settings.temperature_at(epoch),
        )
        middle = time.perf_counter()
        batch = next(iter(self._batches("train", epoch)))
        seen = weight_step(state, batch, routing_LTC.detach(), self.tasks, settings)
        losses = {name: loss.item() for name, loss in seen.items()}
        end = time.perf_counter()
        seconds = (settings.epochs - epoch) * self._num_steps("architecture") * (middle - start)
        return losses, seconds + settings.epochs * self._num_steps("train") * (end - middle)

    def samples(self, name: str) -> Dataset:
        return self.data.split("architecture" if name == "architecture" else "train")

    def _logits_pass(self, state: SearchState, epoch: int, generator: torch.Generator) -> MeanLosses:
        settings = self.settings
        num_steps = self._num_steps("architecture")
        first = settings.warmup_epochs
        losses = self._losses("architecture", epoch)
        for step, batch in enumerate(self._batches("architecture", epoch)):
            progress = (epoch - first + step / num_steps) / (settings.epochs - first)
            routing_LTC = self._sample(state, epoch, generator)
            seen = logits_step(
                *(state, batch, routing_LTC, self.tasks, settings, self.table, self.target, min(progress, 1.0)),
                resource=self.resource,
                temperature=settings.temperature_at(epoch),
                generator=generator,
                ranks=self.ranks,
            )
            # Report it now: from the next step on the logits are NaN, and their expected cost fails.
            losses.add(seen, at_once=True)
        if settings.reset_statistics:
            reset_running_statistics(state.supernet)
        return self._means(losses)

    def _weights_pass(self, state: SearchState, epoch: int, generator: torch.Generator, warm: bool) -> MeanLosses:
        shape = (*state.logits_LTP.shape[:2], state.supernet.num_candidates)
        own = own_copy_routing(*shape).to(self.device)
        losses = self._losses("train", epoch)
        for batch in self._batches("train", epoch):
            with torch.no_grad():
                routing_LTC = own if warm else self._sample(state, epoch, generator)
            losses.add(weight_step(state, batch, routing_LTC, self.tasks, self.settings, self.ranks), at_once=True)
        return self._means(losses)

    def _sample(self, state: SearchState, epoch: int, generator: torch.Generator) -> Tensor:
        settings = self.settings
        sampled = settings.sampler.sample(
            *(state.logits_LTP, state.supernet.num_candidates, settings.temperature_at(epoch)),
            hard=settings.routing != "soft",
            generator=generator,
        )
        return self.ranks.broadcast(sampled)
