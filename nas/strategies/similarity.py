"""The similarity strategy: own copies of every task, and the trees of least dissimilarity within each budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nas.discretize import CurvePoint
from nas.experiment import Experiment, Point, Quality, RunFolder, TrialParts
from nas.experiment.diagnosis import judge_sharing
from nas.similarity import Dissimilarity
from nas.strategies.curve import budget_limits, diagnose_curve
from nas.strategies.tried import TriedSteps
from nas.strategies.warmup import curve_of, make_warmup, run_warmup, try_warmup


@dataclass(frozen=True)
class SimilarityStrategy:
    """Searches one trial of an experiment in its folder of a run; goes on from the last checkpoint there.

    Within a budget the tree is the one of least dissimilarity above the noise floor. Without budgets the question is
    which tasks are alike enough to share for nothing, and the answer is the cost of the tree of least dissimilarity
    above `SimilaritySettings.tolerance` times the floor.
    """

    experiment: Experiment
    run: RunFolder
    number: int = 0

    def search(
        self, parts: TrialParts, device: torch.device, on_epoch: Callable[[dict[str, Any]], None]
    ) -> list[Point]:
        """Train the copies, compare them, discretise, and write everything into the trial's folder."""
        folder = self.run.trial(self.number)
        folder.make()
        folder.write_costs(parts.table)
        folder.write_splits(parts.data)
        warmup = make_warmup(self.experiment, parts, device)
        _, measured = run_warmup(warmup, parts, folder, folder.checkpoints, on_epoch)
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
        free = curve_of(experiment, parts, measured, times=experiment.similarity.tolerance)
        budgets = experiment.search.budgets
        limits = budget_limits(curve, budgets) if budgets else [(None, free[len(free) - 1].cost)]
        diagnosis = diagnose_curve(curve, limits, measured.error_LTT)
        # The curve itself always ends in trees that share next to nothing.
        others = [verdict for verdict in diagnosis.verdicts if verdict.about != "sharing"]
        diagnosis.model_copy(update={"verdicts": (judge_sharing(free), *others)}).write(folder.path)
        return [(budget, curve.within(limit)) for budget, limit in limits]

    @staticmethod
    def try_steps(experiment: Experiment, parts: TrialParts, device: torch.device) -> TriedSteps:
        """One step, and how long all would take; nothing is written."""
        return try_warmup(experiment, parts, device)
