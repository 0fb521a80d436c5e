"""From measured affinities to the trees found: the exact programme on the dissimilarities."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.discretize import discretize, value_of
from nas.errors import InputError
from nas.strategies.affinity.record import AffinityRecord
from nas.strategies.curve import budget_limits, diagnose_curve
from nas.strategies.diagnosis import Verdict
from nas.strategies.goal import Goal
from nas.strategies.protocol import Found, FoundTree
from nas.training import FEWEST_SEEDS, standard_error
from nas.tree import CostTable


def conclude(seeds: Sequence[AffinityRecord], table: CostTable, goal: Goal) -> Found:
    """The best tree of each budget, or the elbow of the curve without budgets, by the mean over the seeds.

    Args:
        seeds: the record of a search, or those of several searches that differ in their seeds.

    Raises:
        InputError: the records have other tasks, blocks or measures.
    """
    check_alike(seeds)
    first = seeds[0]
    each = [one.unlike_LTT for one in seeds]
    mean_LTT = np.mean(each, axis=0)
    curve = discretize(first.tasks, mean_LTT, table, goal.resource, constraints=goal.constraints)
    limits = budget_limits(curve, goal.budgets)
    diagnosis = diagnose_curve(curve, limits, _error(seeds), seeds=each)
    verdicts = (*judge_pairs(first, mean_LTT), *judge_cost([one.cost for one in seeds]), *diagnosis.verdicts)
    trees = [(budget, curve.within(limit)) for budget, limit in limits]
    return Found(
        tuple(
            FoundTree(
                *(point.tree, budget, -point.value, first.measure),
                std=standard_error([value_of(point.tree, d_LTT) for d_LTT in each])
                if len(each) >= FEWEST_SEEDS
                else None,
                # The steps of one training are not independent, so their error is a lower bound, and this an upper one.
                confidence=diagnosis.confidence_within(budget),
            )
            for budget, point in trees
        ),
        diagnosis=diagnosis.model_copy(update={"verdicts": verdicts}),
        curve=curve,
    )


def check_alike(seeds: Sequence[AffinityRecord]) -> None:
    """InputError if the records have other tasks, blocks or measures."""
    if len({(one.tasks, one.blocks, one.measure) for one in seeds}) > 1:
        raise InputError("affinities of several seeds must have the same tasks, blocks and measure")


def judge_pairs(record: AffinityRecord, unlike_LTT: NDArray[np.float64]) -> list[Verdict]:
    """The two tasks that are most alike and the two that are least, on average over the blocks."""
    mean_TT, num_tasks = unlike_LTT.mean(axis=0), len(record.tasks)
    pairs = [(mean_TT[s, t], record.tasks[s], record.tasks[t]) for t in range(num_tasks) for s in range(t)]
    if not pairs:
        return []
    (least, *near), (most, *far) = min(pairs), max(pairs)
    text = (
        f"tasks {near[0]} and {near[1]} are most alike (dissimilarity {least:.3g}, mean over the blocks), "
        f"{far[0]} and {far[1]} least ({most:.3g})"
    )
    return [Verdict(about="affinity", concern=False, text=text)]


def judge_cost(costs: Sequence[float | None]) -> list[Verdict]:
    """What the searches cost, in trainings of a tree that costs the largest budget."""
    known = [cost for cost in costs if cost is not None]
    if not known:
        return []
    text = f"the search cost {sum(known):.2g} trainings of a tree that costs the largest budget"
    return [Verdict(about="affinity", concern=False, text=text)]


def _error(seeds: Sequence[AffinityRecord]) -> NDArray[np.float64] | None:
    """The standard error of the mean over the seeds by the errors within each; None if one is not known."""
    errors = [np.array(one.error_LTT, np.float64) for one in seeds if one.error_LTT is not None]
    if len(errors) < len(seeds):
        return None
    found: NDArray[np.float64] = np.sqrt(np.mean(np.square(errors), axis=0) / len(seeds))
    return found
