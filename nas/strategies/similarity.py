"""The similarity strategy: own copies of every task, and the trees of least dissimilarity within each budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nas.discretize import Curve, CurvePoint
from nas.experiment import Experiment, Point, Quality, RunFolder, TrialParts, part_shapes
from nas.parallel import ALONE, Ranks
from nas.similarity import Dissimilarity
from nas.strategies.curve import Limits, budget_limits, diagnose_curve
from nas.strategies.tried import TriedSteps
from nas.strategies.warmup import curve_of, make_warmup, run_warmup, sufficient_cost, try_warmup


@dataclass(frozen=True)
class SimilarityStrategy:
    """Searches one trial of an experiment in its folder of a run; goes on from the last checkpoint there.

    There is one curve, of the dissimilarities above the noise floor, and each budget's tree is the best one within it.
    Such a tree spends its budget, for hardly any two tasks are quite alike. So the search also says what it would take
    itself, a point without a budget: the best tree for `sufficient_cost`, or for the largest budget if that is less.
    Tasks that differ by less than `SimilaritySettings.tolerance` times the floor are better together at any cost,
    and no more is spent than keeping the others apart takes. With one copy a task there is no floor, and without
    budgets the tree is the curve's elbow.
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
        folder.write_costs(parts.table, part_shapes(parts.backbone, self.experiment.tasks))
        folder.write_splits(parts.data)
        warmup = make_warmup(self.experiment, parts, device, ranks=self.ranks)
        _, measured = run_warmup(warmup, parts, folder, folder.checkpoints, on_epoch)
        if not self.ranks.first:
            return []
        # The name says that the value is no loss: it compares trees of this search alone.
        measure = f"minus dissimilarity ({measured.measure})"
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
        # Without a floor nothing tells which gains are chance.
        enough = sufficient_cost(experiment, parts, measured) if experiment.similarity.copies > 1 else None
        limits = self._limits(curve, enough)
        diagnose_curve(curve, limits, measured.error_LTT, enough).write(folder.path)
        return [(budget, curve.within(limit)) for budget, limit in limits]

    def _limits(self, curve: Curve, enough: float | None) -> Limits:
        limits = budget_limits(curve, self.experiment.search.budgets)
        if enough is None:
            return limits
        named = [(budget, limit) for budget, limit in limits if budget is not None]
        return [*named, (None, min(enough, max((limit for _, limit in named), default=enough)))]

    @staticmethod
    def try_steps(experiment: Experiment, parts: TrialParts, device: torch.device) -> TriedSteps:
        """One step, and how long all would take; nothing is written."""
        return try_warmup(experiment, parts, device)
