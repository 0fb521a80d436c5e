"""From what was measured to the trees found: the best one of each budget, and what to make of it."""

from collections.abc import Mapping

from nas.discretize import Margin, cheapest_tree
from nas.errors import InputError
from nas.strategies.diagnosis import Diagnosis, Verdict, judge_margins, record_margin
from nas.strategies.proposals.measurements import best_within
from nas.strategies.proposals.record import ProposalRecord
from nas.strategies.protocol import Found, FoundTree, Problem
from nas.strategies.transfer.conclusion import MEASURE
from nas.strategies.transfer.spending import limits_of
from nas.tree import BranchTree


def conclude(problem: Problem, record: ProposalRecord) -> Found:
    """The best measured tree of each budget, and the best one within the largest budget.

    All are compared at one length: the full one if every budget has a tree of it, or else the short one.

    Raises:
        InputError: no trained tree keeps a budget and the constraints.
    """
    limits = list(limits_of(problem.task_names, problem.table, problem.goal))
    if problem.goal.budgets:
        limits.append((None, max(limit for _, limit in limits)))
    num_epochs = record.full_epochs
    ranked = [best_within(problem, record.gains(num_epochs), limit) for _, limit in limits]
    if not all(ranked):
        num_epochs = record.short_epochs
        ranked = [best_within(problem, record.gains(num_epochs), limit) for _, limit in limits]
    for (budget, _), trees in zip(limits, ranked, strict=True):
        if not trees:
            where = "goal.constraints" if budget is None else f"budget {budget:g}"
            raise InputError(
                f"{where}: none of the {len(record.gains(num_epochs))} trees that the search trained keeps it; "
                "search with this goal"
            )
    gains = record.gains(num_epochs)
    measure = MEASURE if num_epochs == record.full_epochs else f"{MEASURE} after {num_epochs} epochs"
    found = tuple(
        FoundTree(trees[0], budget, gains[trees[0]], measure, kind="measured")
        for (budget, _), trees in zip(limits, ranked, strict=True)
    )
    margins = tuple(
        record_margin(budget, _margin(trees[0], trees[1], gains), None)
        for (budget, _), trees in zip(limits, ranked, strict=True)
        if len(trees) > 1
    )
    verdicts = (_judge_best(problem, record, ranked[-1], gains), *judge_margins(margins))
    return Found(found, diagnosis=Diagnosis(verdicts=verdicts, margins=margins))


def _judge_best(
    problem: Problem, record: ProposalRecord, ranked: list[BranchTree], gains: Mapping[BranchTree, float]
) -> Verdict:
    """What the recommended tree gains, how far the second-best one is, and whether it is the cheapest one."""
    best, number = ranked[0], len({row.tree for row in record.trainings})
    text = (
        f"tree {best.id} gains {gains[best]:+.1f} % over single tasks, on average over the tasks; it is the best of "
        f"{len(ranked)} by one training each, so chance makes its gain look larger than it is"
    )
    if len(ranked) > 1:
        text += f"; the second-best one is {gains[best] - gains[ranked[1]]:.2g} % behind"
    text += f"; the search trained {number} trees, for {record.cost:.2g} trainings"
    names, table, goal = problem.task_names, problem.table, problem.goal
    if best != cheapest_tree(names, table, goal.resource, goal.constraints):
        return Verdict(about="sharing", concern=False, text=text)
    line = "no tree that was trained is better than the cheapest one"
    return Verdict(about="sharing", concern=True, text=f"{line}: {text}", line=line)


def _margin(best: BranchTree, second: BranchTree, gains: Mapping[BranchTree, float]) -> Margin:
    pairs = zip(best.partitions, second.partitions, strict=True)
    block = next(l for l, (one, other) in enumerate(pairs) if one != other)
    return Margin(best, second, gains[best] - gains[second], block)
