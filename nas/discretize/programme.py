"""Discretisation: the best tree within every budget, from the dissimilarities of tasks at blocks."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from nas.discretize.allowed import Allowed
from nas.discretize.beam import beam_search
from nas.discretize.chains import Programme, nondominated
from nas.discretize.cheapest import cheapest_tree
from nas.discretize.constraints import Constraints
from nas.discretize.curve import Curve, Source
from nas.discretize.lattice import Floats, Ints, Lattice
from nas.discretize.objective import Objective
from nas.errors import InputError
from nas.tree import CostTable

EXACT_TASKS = 8
"""The greatest number of tasks whose partitions are all enumerated."""


def discretize(
    tasks: Sequence[str],
    dissimilarity_LTT: ArrayLike,
    table: CostTable,
    resource: str,
    *,
    max_cost: float = math.inf,
    constraints: Constraints | None = None,
    most_groups: Sequence[int] | None = None,
) -> Curve:
    """The trees that minimise the dissimilarity within groups, one for every budget.

        argmin over chains of refining partitions   sum_l sum_{G in P_l} (1/|G|) sum_{s<t in G} d_l(s, t)
        subject to                                   cost(tree) <= budget

    Where d is negative, sharing lowers the sum; where it is positive, tasks share only to save cost. From a
    dissimilarity that cannot be negative, subtract a noise floor; otherwise separate tasks would always win.

    Up to `EXACT_TASKS` tasks the curve is exact, by dynamic programming over (block, partition) with real costs
    (`nas.discretize.chains`). For more tasks, a beam search finds it (`nas.discretize.beam`); it always contains the
    cheapest tree, and `Curve.share_of_possible` bounds what it may have missed. No tree exceeds its budget, to the last
    unit of `CostTable.tree_cost`. Among equal values, and values that differ only by rounding (L T / 2^33 of the
    greatest d for 8 tasks and 18 blocks), the cheaper tree wins.

    Args:
        tasks: names of the T tasks.
        dissimilarity_LTT: d, symmetric in the tasks, [L, T, T]; the diagonal does not count.
        table: costs of the L blocks and of the tasks' heads.
        resource: the resource that the budget is in.
        max_cost: an absolute amount; trees that cost more are left out, which saves time.
        constraints: every tree of the curve keeps them; the first point is the cheapest tree that does.
        most_groups: the greatest number of groups of each block, at least 1, which every tree keeps, too; by default T.

    Raises:
        InputError: shapes, tasks or the resource do not fit together, d is not finite or not symmetric, constraints
            contradict each other, or no tree (that keeps them) costs at most ``max_cost``.
    """
    tasks = tuple(tasks)
    checked_LTT = _checked(tasks, dissimilarity_LTT, table, resource)
    objective = Objective.of(checked_LTT)
    cost_L = np.array([block[resource] for block in table.blocks], np.float64)
    fixed = table.total(resource, [0] * len(cost_L), tasks)
    cheapest = cheapest_tree(tasks, table, resource, constraints, most_groups)
    smallest = table.total(resource, cheapest.num_groups, tasks)
    free = most_groups is None and (constraints is None or constraints.empty)
    allowed = None if free else Allowed.of(constraints or Constraints(), tasks, table, resource, most_groups)
    if not max_cost >= smallest:
        which = "fully shared one" if allowed is None else "cheapest that the constraints allow"
        raise InputError(f"no tree costs at most {max_cost} {resource}; the {which} costs {smallest:.15g}")
    # Trees that pass only by rounding are checked again with the table's own sum.
    limit = max_cost * (1.0 + 1e-12) - fixed
    if exact := len(tasks) <= EXACT_TASKS:
        lattice = Lattice.of_all(len(tasks))
        allowed_LP = None if allowed is None else allowed.mask(lattice)
        programme = Programme(lattice, objective.values(lattice), cost_L, allowed_LP)
        chains = programme.chains(limit)
    else:
        cheapest_LT = np.array(cheapest.choices_LT)
        programme, chains = beam_search(objective, cost_L, max_cost=limit, allowed=allowed, cheapest_LT=cheapest_LT)
    cost_K = table.total(resource, programme.lattice.num_groups_P[chains.partition_KL].T, tasks)
    best = nondominated(cost_K, chains.value_K)
    best = _without_ties(best[cost_K[best] <= max_cost], chains.value_K, objective.rounding)
    value_K = chains.value_K[best].astype(np.float64) * objective.unit
    choices_KLT = programme.lattice.labels_PT[chains.partition_KL[best]]
    source = Source(programme, chains.partition_KL[best], objective.unit, checked_LTT)
    return Curve(tasks, table, resource, cost_K[best], value_K, choices_KLT, exact, source)


def _without_ties(best: Ints, value_K: Ints, rounding: int) -> Ints:
    """Leave out what costs more than the one before and is better only by rounding."""
    kept = [int(best[0])]
    for k in best[1:].tolist():
        if value_K[k] < value_K[kept[-1]] - rounding:
            kept.append(k)
    return np.array(kept)


def _checked(tasks: tuple[str, ...], dissimilarity_LTT: ArrayLike, table: CostTable, resource: str) -> Floats:
    """The dissimilarity as an exactly symmetric array."""
    if resource not in table.resources:
        raise InputError(f"resource must be one of {list(table.resources)}; found {resource!r}")
    array_LTT = np.asarray(dissimilarity_LTT, np.float64)
    if array_LTT.shape != (len(table.blocks), len(tasks), len(tasks)):
        raise InputError(
            f"a dissimilarity of {len(tasks)} tasks at {len(table.blocks)} blocks has the shape "
            f"{[len(table.blocks), len(tasks), len(tasks)]}; found {list(array_LTT.shape)}"
        )
    if not np.isfinite(array_LTT).all():
        block = int(np.argmax(~np.isfinite(array_LTT).all(axis=(1, 2))))
        raise InputError(f"a dissimilarity must be finite; found NaN or infinity at block {block}")
    mirrored_LTT = array_LTT.swapaxes(1, 2)
    # Symmetric up to the rounding of single precision, relative to the greatest entry.
    if (error := np.abs(array_LTT - mirrored_LTT).max()) > 1e-5 * np.abs(array_LTT).max():
        raise InputError(f"a dissimilarity must be symmetric in the tasks; found entries that differ by {error:.3g}")
    return (array_LTT + mirrored_LTT) / 2.0
