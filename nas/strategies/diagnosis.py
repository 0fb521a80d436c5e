"""Checks of a finished search: whether to search longer, and which of its trees not to trust.

Each check is a pure function that returns a `Verdict` in words. Each threshold is documented with its reason.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from nas.cost import format_quantity
from nas.discretize import EXACT_TASKS, Curve, CurvePoint, Margin
from nas.files import read_record, write_json_atomically
from nas.strategies.confidence import CERTAIN, confidence, grade
from nas.tree import BranchTree, recovery

UNDECIDED = 0.9
"""Entropy of a block in units of log C. Above it, two tasks that favour the same one of 3 to 12 candidates agree by at
most 7 to 12 % more than chance (0 % is chance, 100 % is certainty): too little to base a tree on."""

UNSETTLED = 0.05
"""Share of the choices that change in an epoch. With five tasks and four blocks, one in twenty is one task at one
block, so the tree is another one after every epoch."""

LATE = 0.1
"""The last epochs of a search, as a share of the epochs after the warm-up."""

OVER_TARGET = 0.05
"""Excess over the target. Given enough epochs the dual penalty ends within 1 % of its target; with too few epochs, or
if it oscillates, it ends 5 to 20 % off (`nas.cost.DualPenalty`)."""

LEARNED = 0.03
"""Share of a task's validation loss that its copies have to explain. Untrained copies explain up to 2 % by chance
(digits, scenes, planted problems: 64 to 512 samples). The slowest task of the digits is there after one and two epochs,
when the trees are wrong, and at 7 to 21 % after the six of the recipe (five seeds)."""

DISAGREEMENT = 0.5
"""Mean adjusted Rand index between trees of two seeds. Below it they are closer to chance (0) than to agreement (1)."""


class Verdict(BaseModel):
    """The result of one check in words.

    Args:
        concern: whether it is a reason not to trust the search.
        line: a concern in one short line; by default the whole text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: Literal[
        "entropy", "stability", "learning", "cost", "exactness", "margin", "sharing", "seeds", "transfer", "affinity"
    ]
    concern: bool
    text: str
    line: str = ""


class MarginRecord(BaseModel):
    """A `nas.discretize.Margin`: how close the second-best tree of a budget is, and the noise of that gap.

    Args:
        degrees: degrees of freedom of the noise if it is the spread over a few seeds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: float | None
    tree: str
    runner_up: tuple[tuple[tuple[str, ...], ...], ...]
    gap: float
    noise: float | None
    block: int
    decision: str
    degrees: int | None = None

    @property
    def confidence(self) -> float | None:
        """The probability that the tree is better than the second-best one (`nas.strategies.confidence`)."""
        return confidence(self.gap, self.noise, self.degrees)


class Diagnosis(BaseModel):
    """``diagnosis.json`` of a trial."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    verdicts: tuple[Verdict, ...] = ()
    margins: tuple[MarginRecord, ...] = ()

    def confidence_within(self, budget: float | None) -> float | None:
        """The confidence in the tree of a budget; None if it is not known."""
        return next((record.confidence for record in self.margins if record.budget == budget), None)

    def write(self, folder: Path) -> None:
        """Write the file into a trial's folder."""
        write_json_atomically(folder / "diagnosis.json", self.model_dump())

    def with_margins(self, margins: Iterable[MarginRecord]) -> "Diagnosis":
        """The same diagnosis with the margins of further trees; the verdicts on margins are judged anew."""
        every = tuple(dict.fromkeys((*self.margins, *margins)))
        others = (verdict for verdict in self.verdicts if verdict.about != "margin")
        return self.model_copy(update={"margins": every, "verdicts": (*others, *judge_margins(every))})

    @classmethod
    def read(cls, folder: Path) -> "Diagnosis | None":
        """Read the file of a trial's folder; None if there is none, InputError if it is malformed."""
        path = folder / "diagnosis.json"
        return read_record(path, cls) if path.is_file() else None


def judge_logits(
    history: Sequence[Mapping[str, Any]], num_choices: int, blocks: Sequence[str], resource: str
) -> list[Verdict]:
    """Whether the logits of a search are decided and stable, and whether their expected cost reached its target.

    Args:
        history: the records of all epochs.
        num_choices: number of choices, L T.
        blocks: names of the L blocks.
    """
    last = history[-1]
    verdicts = [judge_entropy(last["entropy"], blocks), judge_stability(history, num_choices)]
    if last["budget"] is not None:
        verdicts.append(judge_cost(last["expected_cost"], last["budget"], resource))
    return verdicts


def judge_entropy(entropy_L: Sequence[float], blocks: Sequence[str]) -> Verdict:
    """Whether the choices of every block are decided; entropies are in units of log C."""
    mean = sum(entropy_L) / len(entropy_L)
    undecided = [f"{name} ({value:.2f})" for name, value in zip(blocks, entropy_L, strict=True) if value >= UNDECIDED]
    if not undecided:
        return Verdict(about="entropy", concern=False, text=f"decided: the mean entropy of the choices is {mean:.2f}")
    where = "every block" if len(undecided) == len(blocks) else _some(undecided)
    text = (
        f"undecided: the choices of {where} are nearly random (mean entropy over the blocks {mean:.2f}, random is 1); "
        "search longer (strategy.epochs), or raise the learning rate of the logits (strategy.logits.lr)"
    )
    line = f"undecided: the choices of {where} are nearly random"
    return Verdict(about="entropy", concern=True, text=text, line=line)


def judge_stability(history: Sequence[Mapping[str, Any]], num_choices: int) -> Verdict:
    """Whether the arg-max choices still change in the last epochs of a search."""
    searched = _searched(history)
    if not searched:
        line = "not searched: all epochs were warm-up"
        text = f"{line}; search longer (strategy.epochs)"
        return Verdict(about="stability", concern=True, text=text, line=line)
    late = _late(searched)
    changed = sum(record["changed_choices"] for record in late) / len(late)
    text = f"{changed:.3g} of {num_choices} choices changed in each of the last {len(late)} epochs"
    if len(late) == 1:
        text = f"{changed:.0f} of {num_choices} choices changed in the last epoch"
    if changed <= UNSETTLED * num_choices:
        return Verdict(about="stability", concern=False, text=f"settled: {text}")
    line = f"not settled: {text}"
    return Verdict(about="stability", concern=True, text=f"{line}; search longer (strategy.epochs)", line=line)


def late_drift(history: Sequence[Mapping[str, Any]]) -> float | None:
    """How much the dissimilarities still change per epoch at the end of a search: a lower bound of their error.

    The root mean square over the last epochs; None if all epochs were warm-up.
    """
    searched = _searched(history)
    if not searched:
        return None
    late = _late(searched)
    return math.sqrt(sum(record["drift"] ** 2 for record in late) / len(late))


def judge_cost(expected: float, target: float, resource: str) -> Verdict:
    """Whether the expected cost has reached its target."""
    excess = expected / target - 1.0
    text = f"the expected cost is {format_quantity(expected, resource)}, the target {format_quantity(target, resource)}"
    if excess <= OVER_TARGET:
        return Verdict(about="cost", concern=False, text=f"within the target: {text}")
    text = (
        f"above the target: {text}, {excess:.0%} too much, so the trees were cut down to their budgets instead of "
        "learned; search longer (strategy.epochs), or strengthen the penalty"
    )
    line = f"above the target: the expected cost is {excess:.0%} too high"
    return Verdict(about="cost", concern=True, text=text, line=line)


def judge_margins(margins: Iterable[MarginRecord]) -> list[Verdict]:
    """The trees that are not certainly better than the second-best one; one verdict for all if there are none."""
    concerns, known = [], False
    for record in margins:
        known |= record.noise is not None
        sure = grade(record.confidence)
        if sure == "certain" or (sure is None and record.gap > 0):
            continue
        size = "is as good" if record.gap == 0 else f"is {record.gap:.2g} behind, noise {record.noise:.2g}"
        which = f"tree {record.tree}" + ("" if record.budget is None else f" (budget {record.budget:g})")
        text = f"{which}: the second-best tree {size}; {record.decision} (the first is the chosen one)"
        concerns.append(Verdict(about="margin", concern=True, text=text))
    if concerns or not known:
        return concerns
    text = f"every tree is better than the second-best one with a probability of {CERTAIN:.0%} or more"
    return [Verdict(about="margin", concern=False, text=text)]


def record_margin(
    budget: float | None, margin: Margin, noise: float | None, degrees: int | None = None
) -> MarginRecord:
    """A margin as plain data; ``budget`` as the user stated it, ``noise`` and ``degrees`` as in `MarginRecord`."""
    return MarginRecord(
        budget=budget,
        tree=margin.tree.id,
        runner_up=margin.runner_up.partitions,
        gap=margin.gap,
        noise=noise,
        block=margin.block,
        decision=margin.decision(),
        degrees=degrees,
    )


def judge_learning(shares: Mapping[str, float], explained: str = "its copies explain") -> Verdict:
    """Whether every task has learned; a concern is a reason to recommend no tree.

    Args:
        shares: by task, the share of its validation loss that is explained (0 is chance, 1 perfect).
        explained: what explains it.
    """
    if idle := not_learned(shares):
        which = f"task {idle[0]} has" if len(idle) == 1 else f"tasks {', '.join(idle)} have"
        text = f"{which} learned nothing: train longer (strategy.epochs)"
        return Verdict(about="learning", concern=True, text=text)
    text = "every task has learned"
    if shares:
        least = min(shares, key=shares.__getitem__)
        text += f": {explained} at least {shares[least]:.0%} of its validation loss ({least})"
    return Verdict(about="learning", concern=False, text=text)


def not_learned(shares: Mapping[str, float]) -> list[str]:
    """The tasks whose share is no better than chance."""
    return [task for task, share in shares.items() if share < LEARNED]


def judge_exactness(curve: Curve, limits: Sequence[float]) -> list[Verdict]:
    """A verdict if the curve's trees come from a beam search, which may miss better ones, and how much it may miss.

    Args:
        limits: absolute amounts of the curve's resource.
    """
    if curve.exact:
        return []
    reached = min(curve.share_of_possible(limit) for limit in limits)
    text = (
        f"not exact: a beam search found the trees of {len(curve.tasks)} tasks (up to {EXACT_TASKS} are searched "
        "exactly); it may have missed better trees, and better second-best ones. Counted from the cheapest tree, the "
        f"trees within the budgets reach at least {reached:.0%} of what any tree can, by a bound that may be far off"
    )
    return [Verdict(about="exactness", concern=False, text=text)]


def judge_sharing(curve: Curve, chosen: float | None = None, sufficient: float | None = None) -> Verdict:
    """Whether any tree is estimated to be better than the cheapest one, and which tree the search chose, if it did.

    Args:
        chosen: the largest cost of the tree that the search chose without a budget; None if it chose none.
        sufficient: the cost above which trees do not get clearly better; by default the cost of the curve's last tree,
            which has the lowest value.
    """
    last = curve[len(curve) - 1] if sufficient is None else curve.within(sufficient)
    cheapest = curve[0].tree
    if last.tree == cheapest:
        shared = cheapest == BranchTree.shared(curve.tasks, len(cheapest.partitions))
        which = "the fully shared tree" if shared else "the cheapest tree that the constraints allow"
        text = (
            f"{which} has the best estimate at every budget: the search sees no gain in separating tasks"
            if sufficient is None
            else f"the search chose {which}: no tasks differ clearly more than two networks of one task"
        )
        return Verdict(about="sharing", concern=True, text=text, line="the search sees no gain in separating tasks")
    if chosen is None:
        text = f"separating tasks pays by the estimate, up to {_tree(last, curve)}"
        return Verdict(about="sharing", concern=False, text=text)
    own = curve.within(chosen)
    if sufficient is None:
        why = f"the elbow of its curve; trees improve by the estimate up to {_tree(last, curve)}"
    elif own.tree == last.tree:
        why = "the best one within the cost of separating tasks that clearly differ more than two networks of one task"
    else:
        why = f"the best one within the largest budget; without budgets it would be {_tree(last, curve)}"
    return Verdict(about="sharing", concern=False, text=f"the search chose {_tree(own, curve)}, {why}")


def _tree(point: CurvePoint, curve: Curve) -> str:
    return f"tree {point.tree.id} ({format_quantity(point.cost, curve.resource)})"


def judge_seeds(found: Iterable[tuple[int, float | None, BranchTree]]) -> list[Verdict]:
    """Whether searches with different seeds agree: one verdict for each budget with at least two seeds.

    All pairs of trees with one budget and different seeds are compared by two numbers: their distance (the share of
    blocks and pairs of tasks that only one of the trees shares), and the adjusted Rand index, the mean over the blocks.

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
            f"{where}seeds {'disagree' if concern else 'agree'}: over {len(compared)} pairs of their trees, the mean "
            f"adjusted Rand index is {ari:.2f} (1 is agreement, 0 chance), and {apart:.0%} of the pairs of tasks at a "
            "block share it in only one of the two trees"
        )
        if concern:
            text += "; search longer, or train and compare the trees (nas compare) instead of trusting one search"
        line = f"{where}the trees of different seeds disagree (mean adjusted Rand index {ari:.2f})"
        verdicts.append(Verdict(about="seeds", concern=concern, text=text, line=line if concern else ""))
    return verdicts


def _searched(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [record for record in history if record["phase"] == "search"]


def _late(searched: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return searched[-max(1, round(LATE * len(searched))) :]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} other blocks"
