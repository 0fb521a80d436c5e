"""From what was measured to the trees found: the exact programme on the posterior mean."""

from collections.abc import Sequence

from numpy.typing import ArrayLike

from nas.discretize import margin
from nas.files import read_record as read_file
from nas.strategies.goal import Goal
from nas.strategies.protocol import Found, FoundTree
from nas.strategies.store import Store
from nas.strategies.transfer.choice import curve_of_effects
from nas.strategies.transfer.findings import Contest, diagnose
from nas.strategies.transfer.fitting import fit_model
from nas.strategies.transfer.record import TransferRecord
from nas.strategies.transfer.spending import limits_of
from nas.tree import CostTable

MEASURE = "mean gain over single tasks, % of loss"

_RECORD = "transfer"


def conclude(searches: Sequence[TransferRecord], table: CostTable, goal: Goal, advice: ArrayLike | None) -> Found:
    """The best tree of each budget by the posterior mean, and the best one within the largest budget.

    Args:
        searches: the record of a search, or those of several ones that differ in their seeds.
        advice: the dissimilarities of the tasks, [L, T, T], if they are known.

    Raises:
        InputError: the searches have other tasks or blocks.
    """
    model = fit_model(searches, advice)
    limits = list(limits_of(model.tasks, table, goal))
    largest = max(limit for _, limit in limits)
    if goal.budgets:
        limits.append((None, largest))
    curve = curve_of_effects(model.tasks, table, goal, model.effects_LTT, largest)
    contest = Contest(model)
    trees, margins = [], []
    for budget, limit in limits:
        point, between = curve.within(limit), margin(curve, limit)
        tree, (_, std) = point.tree, contest.gain(point.tree)
        confidence = None if between is None else contest.chance(tree, between.runner_up)
        trees.append(FoundTree(tree, budget, -point.value, MEASURE, std, confidence))
        margins.append(between)
    diagnosis = diagnose(contest, [(found.budget, found.tree) for found in trees], margins)
    return Found(tuple(trees), diagnosis=diagnosis, curve=curve)


def write_record(store: Store, record: TransferRecord) -> None:
    """Write ``transfer.json``."""
    store.write(_RECORD, record.model_dump())


def read_record(store: Store) -> TransferRecord:
    """Read ``transfer.json``; InputError if it is missing or malformed."""
    return read_file(store.folder / f"{_RECORD}.json", TransferRecord)
