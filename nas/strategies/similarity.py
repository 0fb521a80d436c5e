"""The similarity strategy: own copies of every task, and the trees of least dissimilarity within each budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nas.discretize import CurvePoint
from nas.experiment import Experiment, Point, Quality, RunFolder, TrialParts
from nas.parallel import ALONE, Ranks
from nas.similarity import Dissimilarity
from nas.strategies.curve import budget_limits, diagnose_curve
from nas.strategies.tried import TriedSteps
from nas.strategies.warmup import curve_of, make_warmup, run_warmup, try_warmup


@dataclass(frozen=True)
class SimilarityStrategy:
    """Searches one trial of an experiment in its folder of a run; goes on from the last checkpoint there.

    Tasks that differ by less than `SimilaritySettings.tolerance` times the noise floor are better together, at any
    cost; others part as far as the budget goes. So a budget that allows more than these need to part buys nothing, and
    without budgets the tree is the one where nothing is left to buy. With one copy a task there is no floor, and
    without budgets the tree is the curve's elbow.
    """

    experiment: Experiment
    run: RunFolder
    number: int = 0
    ranks: Ranks = ALONE

    def search(
        self, parts: TrialParts, device: torch.device, on_epoch: Callable[[dict[str, Any]], None]
    ) -> list[Point]:
        """Train the copies, compare them, discretise, and write everything into the trial's folder.

        On other ranks than the first there are no points.
        """
        folder = self.run.trial(self.number)
        folder.make()
        folder.write_costs(parts.table)
        folder.write_splits(parts.data)
        warmup = make_warmup(self.experiment, parts, device, ranks=self.ranks)
        _, measured = run_warmup(warmup, parts, folder, folder.checkpoints, on_epoch)
        if not self.ranks.first:
            return []
        # The name says that the value is no loss: it compares trees of this search alone.
        measure = f"minus dissimilarity within groups ({measured.measure})"
        return [
            Point(
                tree=str(folder.write_tree(found.tree).relative_to(self.run.path)),
                trial=self.number,
                seed=self.experiment.seed,
                budget=budget,
                cost=dict(found.tree.cost or {}),
                quality=Quality(value=-found.value, measure=measure, kind="estimated"),
            )
            for budget, found in self._trees(measured, parts)
        ]

    def _trees(self, measured: Dissimilarity, parts: TrialParts) -> Sequence[tuple[float | None, CurvePoint]]:
        experiment, folder = self.experiment, self.run.trial(self.number)
        curve = curve_of(experiment, parts, measured)
        folder.write_curve(curve)
        limits = budget_limits(curve, experiment.search.budgets)
        if not experiment.search.budgets and experiment.similarity.copies > 1:
            limits = [(None, curve[len(curve) - 1].cost)]
        diagnose_curve(curve, limits, measured.error_LTT).write(folder.path)
        return [(budget, curve.within(limit)) for budget, limit in limits]

    @staticmethod
    def try_steps(experiment: Experiment, parts: TrialParts, device: torch.device) -> TriedSteps:
        """One step, and how long all would take; nothing is written."""
        return try_warmup(experiment, parts, device)
