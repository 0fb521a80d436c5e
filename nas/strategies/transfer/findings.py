"""What a measured search concludes: gains with intervals, chances to be better, and whether the model holds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from nas.discretize import Margin
from nas.strategies.confidence import LIKELY, confidence
from nas.strategies.diagnosis import Diagnosis, Verdict, judge_margins, record_margin
from nas.strategies.transfer.model import TransferModel
from nas.tree import BranchTree

MISFIT = 1.5
"""Root mean square of the leave-one-out errors, in standard deviations. It is 1 if the model holds; for 120
independent errors (20 trainings, 6 tasks) its own standard deviation is 0.06."""

UNLIKELY = 0.05
"""Probability, over all tasks together, below which chance does not explain what pairs of tasks leave unexplained."""

UNRELATED = 0.5
"""Correlation of the effects at the short and the full length below which a task's short trainings say little."""


@dataclass(frozen=True)
class Contest:
    """The posterior of the gains of trees: the mean over the tasks of the gain over single tasks, in percent."""

    model: TransferModel

    def gain(self, tree: BranchTree) -> tuple[float, float]:
        """Mean and standard deviation of a tree's gain."""
        mean, covariance = self._joint([tree])
        return mean[0], math.sqrt(max(covariance[0][0], 0.0))

    def difference(self, tree: BranchTree, other: BranchTree) -> tuple[float, float]:
        """Mean and standard deviation of what a tree gains more than another one."""
        mean, covariance = self._joint([tree, other])
        variance = covariance[0][0] + covariance[1][1] - 2.0 * covariance[0][1]
        return mean[0] - mean[1], math.sqrt(max(variance, 0.0))

    def chance(self, tree: BranchTree, other: BranchTree) -> float:
        """The probability that a tree gains more than another one."""
        mean, std = self.difference(tree, other)
        sure = confidence(abs(mean), std)
        assert sure is not None
        return sure if mean >= 0.0 else 1.0 - sure

    @cached_property
    def shared(self) -> BranchTree:
        return BranchTree.shared(self.model.tasks, self.model.num_blocks)

    def _joint(self, trees: Sequence[BranchTree]) -> tuple[list[float], list[list[float]]]:
        mean_N, covariance_NN = self.model.mean_gains(trees)
        return mean_N.tolist(), covariance_NN.tolist()


def judge_gains(contest: Contest, tree: BranchTree) -> list[Verdict]:
    """What the recommended tree gains over single tasks, and how surely it beats the fully shared tree."""
    gain, std = contest.gain(tree)
    text = f"tree {tree.id} gains {gain:+.1f} ± {std:.1f} % over single tasks, on average over the tasks"
    if tree == contest.shared:
        return [Verdict(about="transfer", concern=False, text=f"{text}; it is the fully shared tree")]
    chance = contest.chance(tree, contest.shared)
    text += f"; it beats the fully shared tree with probability {chance:.2f}"
    return [Verdict(about="transfer", concern=chance < LIKELY, text=text)]


def judge_model(model: TransferModel) -> list[Verdict]:
    """Whether pairs of tasks explain the measured results, and how well short trainings predict long ones."""
    known = model.residuals_NT[model.residuals_NT.isfinite()]
    size = float(known.square().mean().sqrt())
    verdicts = []
    if size > MISFIT:
        text = (
            f"the model misses left-out results by {size:.1f} of its standard deviations: its intervals are too narrow"
        )
        verdicts.append(Verdict(about="transfer", concern=True, text=text))
    # Half, since a variance cannot be negative: without an effect its estimate is 0 in half of the cases.
    chances = (0.5 * torch.erfc(model.unexplained_T.clamp(min=0.0).sqrt())).tolist()
    if odd := [task for task, chance in zip(model.tasks, chances, strict=True) if chance * len(chances) < UNLIKELY]:
        text = f"pairs of tasks do not explain the results of {', '.join(odd)}: three tasks together act differently"
        verdicts.append(Verdict(about="transfer", concern=True, text=text))
    if model.shortest < 1.0:
        weak = [(model.alike(model.shortest)[t].item(), task) for t, task in enumerate(model.tasks)]
        if low := [f"{task} ({value:.2f})" for value, task in weak if value < UNRELATED]:
            text = (
                f"trainings of {model.shortest:.0%} of the recipe's length say little about full ones for "
                f"{', '.join(low)} (correlation of effects); train fewer trees for longer (strategy.length)"
            )
            verdicts.append(Verdict(about="transfer", concern=True, text=text))
    return verdicts


def diagnose(
    contest: Contest, found: Sequence[tuple[float | None, BranchTree]], margins: Sequence[Margin | None]
) -> Diagnosis:
    """All checks of a measured search.

    Args:
        found: (budget, tree), the recommended tree last.
        margins: for each of them the second-best tree; None where there is none.
    """
    records = []
    for (budget, _), between in zip(found, margins, strict=True):
        if between is None:
            continue
        _, noise = contest.difference(between.tree, between.runner_up)
        records.append(record_margin(budget, between, None).model_copy(update={"noise": noise}))
    return Diagnosis(
        verdicts=(*judge_gains(contest, found[-1][1]), *judge_model(contest.model), *judge_margins(records)),
        margins=tuple(records),
    )
