"""Groupings: trees that branch at the root only, where tasks share all blocks or none."""

from itertools import product

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from nas.discretize.allowed import Allowed, Bools
from nas.discretize.constraints import Constraints
from nas.discretize.curve import Curve
from nas.discretize.lattice import Floats, Ints, canonical
from nas.errors import InputError
from nas.tree import CostTable

GROUPED_TASKS = 12
"""The greatest number of tasks whose 2^T - 1 groups are all considered: up to 15 s of one core for random gains."""


def all_groups(num_tasks: int) -> Bools:
    """All non-empty groups of tasks, [2^T - 1, T]; InputError for more than `GROUPED_TASKS` tasks."""
    if num_tasks > GROUPED_TASKS:
        raise InputError(f"groupings are found for at most {GROUPED_TASKS} tasks; found {num_tasks}")
    return np.array(list(product([False, True], repeat=num_tasks)))[1:]


def gains_by_pairs(groups_GT: Bools, gain_TT: Floats) -> Floats:
    """The gain of each group by those of pairs, [G]: the sum over its tasks of their mean gain with the others.

        gain(G) = sum_{t in G} 1/(|G| - 1) sum_{s in G, s != t} gain(t, s),    0 for a task alone

    Source: the higher-order approximation of Standley et al. ("Which Tasks Should Be Learned Together in Multi-task
    Learning?", ICML 2020), where the numbers are losses instead of gains.

    Args:
        groups_GT: whether each group has each task.
        gain_TT: what sharing a whole network with task s brings task t, [t, s]; the diagonal does not count.
    """
    off_TT = gain_TT * ~np.eye(len(gain_TT), dtype=bool)
    members_GT = groups_GT.astype(np.float64)
    gain_G: Floats = ((members_GT @ off_TT.T) * members_GT).sum(axis=1) / np.maximum(members_GT.sum(axis=1) - 1.0, 1.0)
    return gain_G


def best_groupings(groups_GT: Bools, gain_G: Floats) -> list[tuple[float, Ints]]:
    """The partitions of greatest gain with at most K groups, for every K that raises it.

        maximise  sum_G gain_G x_G    with  sum over the groups of each task x_G = 1,   sum_G x_G <= K,   x_G in {0, 1}

    HiGHS solves each programme exactly, by branch and bound (`scipy.optimize.milp`).

    Args:
        groups_GT: the groups that a partition may have, as in `all_groups` or fewer.

    Returns:
        (gain, group of each task), by increasing K; empty if no partition has only these groups.
    """
    num_groups, num_tasks = groups_GT.shape
    each_once = LinearConstraint(groups_GT.T.astype(np.float64), 1.0, 1.0)
    found: list[tuple[float, Ints]] = []
    for most in range(1, num_tasks + 1):
        at_most = LinearConstraint(np.ones((1, num_groups)), 1.0, float(most))
        # A gap of 0 instead of the default 1e-4: ties apart, the best partition itself.
        solved = milp(
            -gain_G,
            constraints=[each_once, at_most],
            integrality=np.ones(num_groups, np.int64),
            bounds=Bounds(0.0, 1.0),
            options={"mip_rel_gap": 0.0},
        )
        if solved.x is None:
            continue
        chosen_GT = groups_GT[np.round(solved.x) == 1.0]
        gain = float(gain_G[np.round(solved.x) == 1.0].sum())
        # HiGHS keeps integers to 1e-6 and gains to 1e-7 of their size; less than that is a tie.
        if not found or gain > found[-1][0] + 1e-6 * np.abs(gain_G).max():
            found.append((gain, canonical(chosen_GT.argmax(axis=0)[None])[0]))
        if len(chosen_GT) < most:
            # More groups are allowed than help.
            break
    return found


def grouping_curve(
    tasks: tuple[str, ...], gain_TT: Floats, table: CostTable, resource: str, constraints: Constraints | None = None
) -> Curve:
    """The best grouping for every budget, by the gains of pairs. Its values are minus the mean gain over the tasks.

    Args:
        tasks: names of the T tasks.
        gain_TT: as in `gains_by_pairs`.
        constraints: a group breaks them if its tasks, sharing all blocks among themselves and none with others, do.

    Raises:
        InputError: more than `GROUPED_TASKS` tasks, or no grouping keeps the constraints.
    """
    groups_GT = all_groups(len(tasks))
    if constraints is not None and not constraints.empty:
        groups_GT = groups_GT[_kept(groups_GT, Allowed.of(constraints, tasks, table, resource))]
    best = best_groupings(groups_GT, gains_by_pairs(groups_GT, gain_TT)) if len(groups_GT) else []
    if not best:
        raise InputError("no tree that branches at the root only keeps the constraints; drop one of them")
    labels_KT = np.array([labels_T for _, labels_T in best])
    choices_KLT = np.repeat(labels_KT[:, None], len(table.blocks), axis=1)
    groups_K = labels_KT.max(axis=1) + 1
    cost_K = table.total(resource, np.repeat(groups_K[None], len(table.blocks), axis=0), tasks)
    value_K = np.array([-gain / len(tasks) for gain, _ in best])
    return Curve(tasks, table, resource, np.asarray(cost_K, np.float64), value_K, choices_KLT, exact=True)


def _kept(groups_GT: Bools, allowed: Allowed) -> Bools:
    """Whether each group keeps the constraints at all blocks, [G]."""
    together_TT, apart_TT = allowed.together_LTT.any(axis=0), allowed.apart_LTT.any(axis=0)
    both_GTT = groups_GT[:, :, None] & groups_GT[:, None, :]
    split_GTT = groups_GT[:, :, None] & ~groups_GT[:, None, :]
    alone_G = groups_GT.sum(axis=1) == 1
    lonely_G = alone_G & (groups_GT & allowed.accompanied_LT.any(axis=0)).any(axis=1)
    kept_G: Bools = ~((both_GTT & apart_TT).any(axis=(1, 2)) | (split_GTT & together_TT).any(axis=(1, 2)) | lonely_G)
    return kept_G
