"""From a curve to the trees of an experiment, one for each budget, and to their diagnosis."""

from collections.abc import Sequence

from numpy.typing import ArrayLike

from nas.cost import resolve_budget
from nas.discretize import Curve, Margin, margin, value_of
from nas.strategies.diagnosis import (
    Diagnosis,
    MarginRecord,
    judge_exactness,
    judge_margins,
    judge_sharing,
    record_margin,
)
from nas.training import FEWEST_SEEDS, standard_error

Limits = Sequence[tuple[float | None, float]]
"""Pairs (budget as stated, limit as an absolute amount). Without budgets: (None, cost of the curve's elbow)."""


def budget_limits(curve: Curve, budgets: Sequence[float]) -> Limits:
    """The largest cost that each budget allows.

    Raises:
        InputError: a budget allows no tree of the curve.
    """
    if not budgets:
        return [(None, curve.elbow().cost)]
    cheapest = curve[0].tree
    return [(budget, resolve_budget(budget, curve.table, curve.resource, cheapest=cheapest)) for budget in budgets]


def diagnose_curve(
    curve: Curve,
    limits: Limits,
    error: ArrayLike | None,
    sufficient: float | None = None,
    *,
    seeds: Sequence[ArrayLike] = (),
) -> Diagnosis:
    """How close the second-best tree of each budget is, and whether any tree is better than full sharing.

    Args:
        curve: the result of `discretize`.
        error: standard deviation of the dissimilarities, one number or [L, T, T]; None if unknown.
        sufficient: the cost above which trees do not get better; by default the cost of the curve's last tree.
        seeds: the dissimilarities of several seeds, [L, T, T] each, if the curve's are their mean. From three seeds on
            the noise of a gap is its standard error over the seeds, which holds more than the errors within each.
    """

    def record(budget: float | None, between: Margin) -> MarginRecord:
        if len(seeds) >= FEWEST_SEEDS:
            gaps = [value_of(between.runner_up, d_LTT) - value_of(between.tree, d_LTT) for d_LTT in seeds]
            return record_margin(budget, between, standard_error(gaps), len(seeds) - 1)
        return record_margin(budget, between, None if error is None else between.noise(error))

    found = [(budget, margin(curve, limit)) for budget, limit in limits]
    margins = tuple(record(budget, between) for budget, between in found if between is not None)
    sharing = judge_sharing(curve, dict(limits).get(None), sufficient)
    return Diagnosis(
        verdicts=(sharing, *judge_exactness(curve, [limit for _, limit in limits]), *judge_margins(margins)),
        margins=margins,
    )
