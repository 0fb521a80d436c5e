"""From what was measured to the trees found: the exact programme on the posterior mean."""

from typing import Literal

from numpy.typing import ArrayLike

from nas.discretize import margin
from nas.files import read_record as read_file
from nas.strategies.protocol import Found, FoundTree, Problem
from nas.strategies.store import Store
from nas.strategies.transfer.choice import curve_of_effects
from nas.strategies.transfer.findings import Contest, diagnose
from nas.strategies.transfer.record import TransferRecord
from nas.strategies.transfer.spending import limits_of

MEASURE = "gain over single tasks, % of loss"

_RECORD = "transfer"

_Kind = Literal["estimated", "measured"]


def conclude(problem: Problem, record: TransferRecord, advice: ArrayLike | None) -> Found:
    """The best tree of each budget by the posterior mean, and the best one within the largest budget."""
    model = record.model(advice)
    limits = list(limits_of(problem))
    largest = max(limit for _, limit in limits)
    if problem.goal.budgets:
        limits.append((None, largest))
    curve = curve_of_effects(problem, model.effects_LTT, largest)
    contest = Contest(problem, model)
    full = {row.tree for row in record.trainings if row.num_epochs >= record.full_epochs}
    trees, margins = [], []
    for budget, limit in limits:
        tree, between = curve.within(limit).tree, margin(curve, limit)
        gain, std = contest.gain(tree)
        confidence = None if between is None else contest.chance(tree, between.runner_up)
        kind: _Kind = "measured" if tree in full else "estimated"
        trees.append(FoundTree(tree, budget, gain, MEASURE, std, confidence, kind))
        margins.append(between)
    diagnosis = diagnose(contest, [(found.budget, found.tree) for found in trees], margins)
    return Found(tuple(trees), diagnosis=diagnosis, curve=curve)


def write_record(store: Store, record: TransferRecord) -> None:
    """Write ``transfer.json``."""
    store.write(_RECORD, record.model_dump())


def read_record(store: Store) -> TransferRecord:
    """Read ``transfer.json``; InputError if it is missing or malformed."""
    return read_file(store.folder / f"{_RECORD}.json", TransferRecord)
