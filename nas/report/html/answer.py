"""The first section: the recommended tree, what it saves and loses, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.report.html.known import Gains, Known
from nas.report.summary import summary
from nas.run import Point, recommendation
from nas.run.costs import lacking_macs
from nas.run.runners_up import runners_up
from nas.run.verdicts import verdicts
from nas.strategies.diagnosis import Diagnosis, Verdict
from nas.tree import BranchTree, split_agreement

_MOST_SPLITS = 6
_NO_TREE = ("no tree", "no gain")
"""How a comparison's verdicts on all trees begin."""


@dataclass(frozen=True)
class Answer:
    """What the run answers.

    Args:
        tree: id of the recommended tree; None if no tree is recommended.
        name: what the report calls it.
        why: why this tree, or that no tree is recommended and why.
        saving: its cost in words, its budget's resource first.
        splits: where its tasks part, one sentence for each split.
        gains: None if nothing is known about them.
        sure: how sure the search is, in sentences.
        second_best: the second-best trees, in sentences.
        concerns: reasons not to trust it, in sentences.
        checks: what was checked and found in order.
    """

    tree: str | None
    name: str
    why: str
    saving: list[str]
    splits: list[str]
    gains: Gains | None
    sure: list[str]
    second_best: list[str]
    concerns: list[str]
    checks: list[str]


def answer(known: Known) -> Answer:
    """The answer of a run; of one that recommends no tree, the reason."""
    point = known.front.best
    judged = [verdict for verdict in verdicts(known.run) if verdict.about != "margin"]
    concerns = [known.with_names(line) for line in _concerns(known, judged)]
    checks = [known.with_names(verdict.text) for verdict in judged if not verdict.concern]
    if point is None:
        return Answer(None, "", recommendation(known.front), [], [], None, [], [], concerns, checks)
    tree = known.trees[point.tree_id]
    margins = (Diagnosis.read(known.trial.path) or Diagnosis()).margins
    return Answer(
        tree=point.tree_id,
        name=known.name(point.tree_id),
        why=_why(known, judged),
        saving=summary(tree, known.tables[point.tree_id], known.resource),
        splits=splits(tree),
        gains=known.gains(point.tree_id),
        sure=[known.with_names(line) for line in _sure(known, point)],
        second_best=[one.sentence for one in runners_up(tree, margins)],
        concerns=concerns,
        checks=checks,
    )


def splits(tree: BranchTree) -> list[str]:
    """Where the tasks of a tree part, in sentences; of many, the first ones."""
    found = [split.sentence for split in split_agreement(tree, [])]
    if len(found) > _MOST_SPLITS:
        found[_MOST_SPLITS:] = [f"and {len(found) - _MOST_SPLITS} more splits"]
    return found or ["all tasks share every block" if len(tree.tasks) > 1 else "there is one task"]


def _why(known: Known, judged: Sequence[Verdict]) -> str:
    """Why the front recommends its tree: the rule, and what the search says about the cost that it chose."""
    _, _, rule = recommendation(known.front).partition(", ")
    chose = [verdict.text for verdict in judged if verdict.about == "sharing" and not verdict.concern]
    why = f"it is the one {rule}" if rule.startswith("which") else f"it is {rule}"
    return known.with_names("; ".join([why, *chose]))


def _concerns(known: Known, judged: Sequence[Verdict]) -> list[str]:
    """What the search, a comparison, the gains and the costs say against the recommended tree."""
    point, found = known.front.best, [verdict.text for verdict in judged if verdict.concern]
    if point is not None and point.grade == "toss-up" and point.measured is None:
        found.append("the second-best tree is about as likely to be the better one (toss-up)")
    gains = None if point is None else known.gains(point.tree_id)
    if gains is not None and (worse := [gain.task for gain in gains.rows if gain.sign == "loss"]):
        found.append(f"worse than with networks of their own ({gains.kind}): {', '.join(worse)}")
    if known.comparison is not None:
        found += [line for line in known.comparison.verdicts if line.startswith(_NO_TREE)]
    if known.trial.uncounted:
        found.append(lacking_macs(known.trial.uncounted))
    return found


def _sure(known: Known, point: Point) -> list[str]:
    """The grade, the seeds, and the conclusions of a comparison."""
    lines = [point.grade_line] if point.grade_line else []
    num_seeds = len({one.seed for one in known.front.points} | set(point.pooled))
    lines.append("the search ran with one seed" if num_seeds == 1 else f"the search ran with {num_seeds} seeds")
    if known.comparison is None:
        lines.append("no tree has been trained and compared with single-task networks yet; nas compare does it")
        return lines
    return lines + [line for line in known.comparison.verdicts if line.startswith(point.tree_id)]
