"""What a finished search says of itself: when to search longer, and which of its trees to distrust.

Every judgement is a pure function to a `Verdict` in words; a threshold stands beside its reason.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from nas.cost import format_quantity
from nas.discretize import Curve, Margin
from nas.files import read_record, write_json_atomically
from nas.tree import BranchTree, recovery

UNDECIDED = 0.9
"""Entropy of a block in units of log C. From there on two tasks that favour the same of 3 to 12 candidates agree no
more than 7 to 12 % of the way from chance to certainty, so that a tree is drawn from what is hardly there."""

UNSETTLED = 0.05
"""Share of the choices that an epoch changes. One in twenty is a task at one block of five tasks and four blocks: a
different tree after every epoch."""

LATE = 0.1
"""Share of the epochs after the warm-up that counts as the end of a search."""

OVER_TARGET = 0.05
"""Excess over the target. The dual penalty ends within 1 % of its target where it has the time, and 5 to 20 % off where
it oscillates or has not (`nas.cost.DualPenalty`)."""

NOISES = 2.0
"""Standard deviations that a margin has to have, as the differences of a comparison."""

DISAGREEMENT = 0.5
"""Mean adjusted Rand index of two seeds' trees: below, they are nearer to chance, 0, than to agreement, 1."""


class Verdict(BaseModel):
    """One judgement; ``concern`` is whether it is a reason to distrust the result."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: Literal["entropy", "stability", "cost", "margin", "sharing", "seeds"]
    concern: bool
    text: str


class MarginRecord(BaseModel):
    """A `nas.discretize.Margin`: how close the second-best tree of a budget is, and the noise of that gap."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: float | None
    tree: str
    runner_up: tuple[tuple[tuple[str, ...], ...], ...]
    gap: float
    noise: float | None
    block: int
    decision: str


class Diagnosis(BaseModel):
    """``diagnosis.json`` of a trial."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    verdicts: tuple[Verdict, ...] = ()
    margins: tuple[MarginRecord, ...] = ()

    def write(self, folder: Path) -> None:
        """Into a trial's folder."""
        write_json_atomically(folder / "diagnosis.json", self.model_dump())

    @classmethod
    def read(cls, folder: Path) -> "Diagnosis | None":
        """Of a trial's folder, if it has one; InputError if that is malformed."""
        path = folder / "diagnosis.json"
        return read_record(path, cls) if path.is_file() else None


def judge_logits(
    history: Sequence[Mapping[str, Any]], num_choices: int, blocks: Sequence[str], resource: str
) -> list[Verdict]:
    """Whether the logits of a search are decided and settled, and their expected cost is at its target.

    Args:
        history: the records of its epochs.
        num_choices: L T.
        blocks: names of the L blocks.
    """
    last = history[-1]
    verdicts = [judge_entropy(last["entropy"], blocks), judge_stability(history, num_choices)]
    if last["budget"] is not None:
        verdicts.append(judge_cost(last["expected_cost"], last["budget"], resource))
    return verdicts


def judge_entropy(entropy_L: Sequence[float], blocks: Sequence[str]) -> Verdict:
    """Whether every block's choices are decided; entropies are in units of log C."""
    mean = sum(entropy_L) / len(entropy_L)
    undecided = [f"{name} ({value:.2f})" for name, value in zip(blocks, entropy_L, strict=True) if value >= UNDECIDED]
    if not undecided:
        return Verdict(about="entropy", concern=False, text=f"decided: the mean entropy of the choices is {mean:.2f}")
    where = "every block" if len(undecided) == len(blocks) else _some(undecided)
    text = (
        f"undecided: the choices of {where} have nearly the entropy of chance, 1 (mean over the blocks {mean:.2f}); "
        "search longer (strategy.epochs), or with a higher rate of the logits (strategy.logits.lr)"
    )
    return Verdict(about="entropy", concern=True, text=text)


def judge_stability(history: Sequence[Mapping[str, Any]], num_choices: int) -> Verdict:
    """Whether the arg-max choices stay what they are at the end of a search."""
    searched = _searched(history)
    if not searched:
        text = "not searched: all epochs were warm-up; search longer (strategy.epochs)"
        return Verdict(about="stability", concern=True, text=text)
    late = _late(searched)
    changed = sum(record["changed_choices"] for record in late) / len(late)
    text = f"{changed:.3g} of {num_choices} choices changed in each of the last {len(late)} epochs"
    if len(late) == 1:
        text = f"{changed:.0f} of {num_choices} choices changed in the last epoch"
    if changed <= UNSETTLED * num_choices:
        return Verdict(about="stability", concern=False, text=f"settled: {text}")
    return Verdict(about="stability", concern=True, text=f"not settled: {text}; search longer (strategy.epochs)")


def late_drift(history: Sequence[Mapping[str, Any]]) -> float | None:
    """What an epoch at the end of a search still moves the dissimilarities by: a floor under their error.

    It is the root mean square over the last epochs; None if there was no epoch but warm-up.
    """
    searched = _searched(history)
    if not searched:
        return None
    late = _late(searched)
    return math.sqrt(sum(record["drift"] ** 2 for record in late) / len(late))


def judge_cost(expected: float, target: float, resource: str) -> Verdict:
    """Whether the expected cost has come down to its target."""
    excess = expected / target - 1.0
    text = f"the expected cost is {format_quantity(expected, resource)} of {format_quantity(target, resource)} aimed at"
    if excess <= OVER_TARGET:
        return Verdict(about="cost", concern=False, text=f"within the target: {text}")
    text = (
        f"above the target: {text}, {excess:.0%} too much, so trees were cut to their budgets and not learned; "
        "search longer (strategy.epochs), or with a stronger penalty"
    )
    return Verdict(about="cost", concern=True, text=text)


def judge_margins(margins: Iterable[MarginRecord]) -> list[Verdict]:
    """Which trees have a rival within the noise of their margin; one verdict for all if none has."""
    concerns, known = [], False
    for record in margins:
        known |= record.noise is not None
        if record.gap > 0 and (record.noise is None or record.gap >= NOISES * record.noise):
            continue
        size = "is as good" if record.gap == 0 else f"is {record.gap:.2g} behind, noise {record.noise:.2g}"
        which = f"tree {record.tree}" + ("" if record.budget is None else f" (budget {record.budget:g})")
        text = f"{which}: the second-best tree {size}; {record.decision} (the first is the chosen one)"
        concerns.append(Verdict(about="margin", concern=True, text=text))
    if concerns or not known:
        return concerns
    text = f"every tree is ahead of the second-best one by {NOISES:g} times the noise or more"
    return [Verdict(about="margin", concern=False, text=text)]


def record_margin(budget: float | None, margin: Margin, error: Any | None) -> MarginRecord:
    """A margin as plain data.

    Args:
        budget: as the user states it.
        error: standard deviation of the dissimilarities, one or [L, T, T]; None if it is not known.
    """
    return MarginRecord(
        budget=budget,
        tree=margin.tree.id,
        runner_up=margin.runner_up.partitions,
        gap=margin.gap,
        noise=None if error is None else margin.noise(error),
        block=margin.block,
        decision=margin.decision(),
    )


def judge_sharing(curve: Curve, sufficient: float | None = None) -> Verdict:
    """Whether any tree is estimated to be better than the cheapest.

    Args:
        sufficient: the cost beyond which nothing is gained; that of the curve's last tree, which has the lowest value,
            if left out.
    """
    last = curve[len(curve) - 1] if sufficient is None else curve.within(sufficient)
    cheapest, best = curve[0].tree, last.tree
    if best != cheapest:
        cost = format_quantity(last.cost, curve.resource)
        text = f"without a budget the best tree by the estimate is {best.id}, {cost}"
        return Verdict(about="sharing", concern=False, text=text)
    shared = best == BranchTree.shared(curve.tasks, len(best.partitions))
    which = "the fully shared tree" if shared else "the cheapest tree that the constraints allow"
    text = f"{which} is not beaten by the estimate, at any budget: it sees no gain in keeping tasks apart"
    return Verdict(about="sharing", concern=True, text=text)


def judge_seeds(found: Iterable[tuple[int, float | None, BranchTree]]) -> list[Verdict]:
    """Whether searches with several seeds agree, one verdict for each budget that two seeds or more have.

    Means are over all pairs of trees of one budget and different seeds: of the distance, the share of (block, pair of
    tasks) that two trees treat differently, and of the adjusted Rand index, averaged over the blocks.

    Args:
        found: (seed, budget, tree).
    """
    by_budget: dict[float | None, list[tuple[int, BranchTree]]] = {}
    for seed, budget, tree in found:
        by_budget.setdefault(budget, []).append((seed, tree))
    verdicts = []
    for budget, trees in sorted(by_budget.items(), key=lambda item: -math.inf if item[0] is None else item[0]):
        compared = [recovery(a, b) for (s, a), (t, b) in combinations(trees, 2) if s != t]
        if not compared:
            continue
        ari = sum(pair.ari for pair in compared) / len(compared)
        apart = sum(pair.distance for pair in compared) / len(compared)
        concern = ari < DISAGREEMENT
        where = "" if budget is None else f"budget {budget:g}: "
        text = (
            f"{where}seeds {'disagree' if concern else 'agree'}: on the mean over {len(compared)} pairs of their trees "
            f"the adjusted Rand index is {ari:.2f} (1 is agreement, 0 chance) and {apart:.0%} of the pairs of tasks "
            "at a block are treated differently"
        )
        if concern:
            text += "; search longer, or compare the trees (nas compare) and do not trust one search"
        verdicts.append(Verdict(about="seeds", concern=concern, text=text))
    return verdicts


def _searched(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [record for record in history if record["phase"] == "search"]


def _late(searched: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return searched[-max(1, round(LATE * len(searched))) :]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} other blocks"
