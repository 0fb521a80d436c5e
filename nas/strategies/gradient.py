"""The gradient strategy: one bilevel search, and a tree for each budget from its logits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from nas.bilevel import BilevelSearch, SearchState
from nas.data import derive_seed
from nas.discretize import argmax_tree, discretize, dissimilarity_from_logits
from nas.experiment import Experiment, Point, Quality, RunFolder, TrialParts, part_shapes
from nas.experiment.diagnosis import Diagnosis, judge_logits, late_drift
from nas.inherit import inherit_weights
from nas.network import BranchedNetwork
from nas.parallel import ALONE, Ranks
from nas.similarity import candidate_sources, start_candidates, starting_logits
from nas.strategies.curve import budget_limits, diagnose_curve
from nas.strategies.tried import TriedSteps, state_bytes
from nas.strategies.warmup import curve_of, make_warmup, run_warmup, sufficient_cost, try_warmup
from nas.supernet import Supernet
from nas.training import estimate_batch_statistics, evaluate
from nas.tree import BranchTree

MEASURE = "minus validation loss, inherited weights"

_STATISTICS_BATCHES = 20
"""Batches that a network's BatchNorm statistics are averaged over before its quality is estimated."""


@dataclass(frozen=True)
class GradientStrategy:
    """Searches one trial of an experiment in its folder of a run; goes on from the last checkpoint there."""

    experiment: Experiment
    run: RunFolder
    number: int = 0
    ranks: Ranks = ALONE

    def search(
        self, parts: TrialParts, device: torch.device, on_epoch: Callable[[dict[str, Any]], None]
    ) -> list[Point]:
        """Train, discretise, estimate each tree's quality, and write everything into the trial's folder.

        On other ranks than the first there are no points.
        """
        experiment, folder = self.experiment, self.run.trial(self.number)
        folder.make()
        folder.write_costs(parts.table, part_shapes(parts.backbone, self.experiment.tasks))
        folder.write_splits(parts.data)
        search = make_search(experiment, parts, device, self.ranks)
        state = start_search(experiment, parts, search)
        if (saved := self.ranks.from_first(folder.checkpoints.latest)) is not None:
            state.load(saved, str(folder.checkpoints.folder))
        elif experiment.search.init == "similarity":
            state = self._start_from_copies(search, state.supernet, parts, on_epoch)
        before = folder.warmup.latest()
        earlier = [] if before is None else before["history"]

        def record(epoch: dict[str, Any]) -> None:
            folder.write_metrics([*earlier, *state.history])
            on_epoch(epoch)

        folder.write_metrics([*earlier, *state.history])
        search.run(state, folder.checkpoints, record)
        if not self.ranks.first:
            return []
        return [
            Point(
                tree=str(folder.write_tree(tree).relative_to(self.run.path)),
                trial=self.number,
                seed=experiment.seed,
                budget=budget,
                cost=dict(tree.cost or {}),
                quality=Quality(value=self._estimate(tree, state, parts, device), measure=MEASURE, kind="estimated"),
            )
            for budget, tree in self._trees(state, parts)
        ]

    def _start_from_copies(
        self,
        search: BilevelSearch,
        supernet: Supernet,
        parts: TrialParts,
        on_epoch: Callable[[dict[str, Any]], None],
    ) -> SearchState:
        """Weights of own copies, and logits that know which trees their similarity gives at which budget."""
        experiment, folder = self.experiment, self.run.trial(self.number)
        affine = experiment.search.affine_last_norm
        warmup = make_warmup(experiment, parts, search.device, affine_last_norm=affine, ranks=self.ranks)
        trained, measured = run_warmup(warmup, parts, folder, folder.warmup, on_epoch)
        sources = candidate_sources(measured, supernet.num_candidates)
        start_candidates(supernet, trained.copies, sources)
        curve = curve_of(experiment, parts, measured)
        limits = search.budgets or (sufficient_cost(experiment, parts, measured),)
        return search.start(supernet, starting_logits(measured, curve, sources, limits))

    def _trees(self, state: SearchState, parts: TrialParts) -> list[tuple[float | None, BranchTree]]:
        settings, names, folder = self.experiment.search, self.experiment.task_names, self.run.trial(self.number)
        logits_LTC = state.logits_LTC.detach().cpu()
        num_choices = logits_LTC.shape[0] * logits_LTC.shape[1]
        verdicts = judge_logits(state.history, num_choices, parts.table.block_names, settings.resource)
        if settings.discretize == "argmax":
            Diagnosis(verdicts=tuple(verdicts)).write(folder.path)
            return [(None, argmax_tree(names, logits_LTC).with_cost(parts.table))]
        curve = discretize(
            names,
            dissimilarity_from_logits(logits_LTC),
            parts.table,
            settings.resource,
            constraints=settings.constraints,
        )
        folder.write_curve(curve)
        limits = budget_limits(curve, settings.budgets)
        diagnosis = diagnose_curve(curve, limits, late_drift(state.history))
        diagnosis.model_copy(update={"verdicts": (*verdicts, *diagnosis.verdicts)}).write(folder.path)
        return [(budget, curve.within(limit).tree) for budget, limit in limits]

    def _estimate(self, tree: BranchTree, state: SearchState, parts: TrialParts, device: torch.device) -> float:
        experiment = self.experiment
        network = BranchedNetwork(parts.backbone, experiment.tasks, tree)
        inherit_weights(network, state.supernet, state.logits_LTC)
        network.to(device)
        batch_size = experiment.search.batch_size
        estimate_batch_statistics(
            network,
            parts.data.split("train"),
            batch_size=batch_size,
            num_batches=_STATISTICS_BATCHES,
            device=device,
            seed=experiment.seed,
        )
        measured = evaluate(
            network,
            experiment.tasks,
            parts.data.split("validation"),
            batch_size=max(1, batch_size // experiment.processes),
            device=device,
        )
        return -sum(task.weight * measured[task.name]["loss"] for task in experiment.tasks)

    @staticmethod
    def try_steps(experiment: Experiment, parts: TrialParts, device: torch.device) -> TriedSteps:
        """One step of each kind, and how long all would take; nothing is written."""
        search = make_search(experiment, parts, device)
        state = start_search(experiment, parts, search)
        # The first steps pay for allocations and algorithm choices.
        search.try_steps(state)
        losses, seconds = search.try_steps(state)
        if experiment.search.init == "similarity":
            seconds += try_warmup(experiment, parts, device).seconds
        return TriedSteps(losses, seconds, state_bytes(state.supernet))


def make_search(experiment: Experiment, parts: TrialParts, device: torch.device, ranks: Ranks = ALONE) -> BilevelSearch:
    """The bilevel search of an experiment."""
    return BilevelSearch(
        experiment.tasks,
        parts.data,
        parts.table,
        experiment.search,
        seed=experiment.seed,
        device=device,
        num_workers=experiment.num_workers,
        ranks=ranks,
    )


def start_search(experiment: Experiment, parts: TrialParts, search: BilevelSearch) -> SearchState:
    """A fresh supernet, by the experiment's seed, with uniform logits."""
    settings = experiment.search
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(derive_seed(experiment.seed, "supernet"))
        supernet = Supernet(
            parts.backbone,
            experiment.tasks,
            settings.num_candidates,
            equal_start=settings.equal_start,
            affine_last_norm=settings.affine_last_norm,
        )
    return search.start(supernet)
