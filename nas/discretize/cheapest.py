"""The cheapest tree that constraints allow, for any number of tasks."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from nas.discretize.allowed import Allowed, Bools, own_costs
from nas.discretize.constraints import Constraints
from nas.discretize.lattice import Floats, Ints, canonical
from nas.errors import InputError
from nas.tree import BranchTree, CostTable

_INFEASIBLE = 2
"""`milp`'s status."""


def cheapest_tree(
    tasks: Sequence[str],
    table: CostTable,
    resource: str,
    constraints: Constraints | None = None,
    most_groups: Sequence[int] | None = None,
) -> BranchTree:
    """The cheapest tree that the constraints allow, with the block names and the cost of the table.

    Without constraints it is the fully shared tree. If several trees are cheapest, it is one with the fewest splits.

    Args:
        most_groups: as in `nas.discretize.discretize`.

    Raises:
        InputError: the constraints contradict each other, need more groups than there may be, or name tasks or blocks
            that do not exist.
    """
    allowed = Allowed.of(constraints or Constraints(), tasks, table, resource, most_groups)
    cost_L = np.array([block[resource] for block in table.blocks], np.float64)
    labels_LT = cheapest_labels(allowed, cost_L)
    if labels_LT is None:
        assert constraints is not None
        if most_groups is not None:
            needed = cheapest_tree(tasks, table, resource, constraints).num_groups
            raise InputError(
                f"constraints: the blocks may have at most {list(most_groups)} groups, which is too few for the tasks "
                f"that must be apart or must not be alone; {list(needed)} groups are enough"
            )
        raise InputError(_contradiction(constraints, tasks, table, resource))
    return BranchTree.from_choices(tasks, labels_LT.tolist()).with_cost(table)


def cheapest_labels(allowed: Allowed, cost_L: Floats) -> Ints | None:
    """The labels of the cheapest allowed chain of partitions, [L, T]; None if no chain is allowed.

    Without pairs that must be apart, the fully shared chain is the answer. With them, the problem is an integer
    programme: x_l(s, t) is 1 if two tasks share block l. It is transitive, does not increase with l, and is 0 or 1
    where a constraint says so; block l has sum_t max(0, 1 - sum_{s<t} x_l(s, t)) groups. Consecutive blocks with equal
    constraints form one stage: not splitting is always allowed and never costs more.
    """
    num_blocks, num_tasks, _ = allowed.apart_LTT.shape
    labels_LT = np.zeros((num_blocks, num_tasks), np.int64)
    if num_tasks == 1:
        return None if allowed.accompanied_LT.any() else labels_LT
    if not allowed.apart_LTT.any():
        return labels_LT
    # Blocks that all tasks must share need no solving.
    open_L = ~allowed.together_LTT.all(axis=(1, 2))
    together_LTT, apart_LTT, accompanied_LT = (
        rule[open_L] for rule in (allowed.together_LTT, allowed.apart_LTT, allowed.accompanied_LT)
    )
    most_groups_L = allowed.most_groups_L[open_L]
    rules = (together_LTT, apart_LTT, accompanied_LT, most_groups_L)
    changes = [any((rule[l] != rule[l - 1]).any() for rule in rules) for l in range(1, open_L.sum())]
    first_R = np.flatnonzero([True, *changes])
    # A task without constraints can follow another one, but each task that must not be alone may need one as company.
    bound_T = (together_LTT.sum(axis=(0, 1)) > len(together_LTT)) | apart_LTT.any(axis=(0, 1))
    bound_T |= accompanied_LT.any(axis=0)
    free = np.flatnonzero(~bound_T)[: accompanied_LT.any(axis=0).sum()]
    kept = np.concatenate([np.flatnonzero(bound_T), free])
    # Tasks that must be apart from most others come first: they start groups, which spares the solver branching.
    kept = kept[np.argsort(-apart_LTT[:, :, kept].sum(axis=(0, 1)), kind="stable")]
    pairs_R = np.ix_(first_R, kept, kept)
    shared_RKK = _solve(
        together_LTT[pairs_R],
        apart_LTT[pairs_R],
        accompanied_LT[np.ix_(first_R, kept)],
        most_groups_L[first_R],
        np.add.reduceat(cost_L[open_L], first_R),
    )
    if shared_RKK is None:
        return None
    labels_RT = np.zeros((len(first_R), num_tasks), np.int64)
    labels_RT[:, kept] = shared_RKK.argmax(axis=2)
    labels_LT[open_L] = canonical(labels_RT)[np.cumsum([False, *changes])]
    return labels_LT


def _solve(
    together_RTT: Bools, apart_RTT: Bools, accompanied_RT: Bools, most_groups_R: Ints, cost_R: Floats
) -> Bools | None:
    """Which tasks share a group at each of R stages, [R, T, T]; None if no chain is allowed.

    Variables of a stage: whether each of its P pairs shares, then whether each task starts a group. Rows of the
    programme are at least a bound.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, kron, vstack

    num_stages, num_tasks = accompanied_RT.shape
    first_P, second_P = np.triu_indices(num_tasks, k=1)
    num_pairs, task_T = len(first_P), np.arange(num_tasks)[:, None]
    closed = _closed_triples(num_tasks)
    starts_or_joins = np.hstack([task_T == second_P, np.eye(num_tasks)])
    is_not_alone = np.pad((task_T == first_P) | (task_T == second_P), ((0, 0), (0, num_tasks)))
    starts = -np.repeat([[0.0, 1.0]], [num_pairs, num_tasks], axis=1)
    stage = vstack([closed, csr_array(starts_or_joins), csr_array(is_not_alone.astype(np.float64)), csr_array(starts)])
    bound_RN = np.hstack(
        [
            *(np.full((num_stages, closed.shape[0]), -1.0), np.ones((num_stages, num_tasks)), accompanied_RT),
            -most_groups_R[:, None],
        ]
    )
    step = np.eye(num_stages)[:-1] - np.eye(num_stages)[1:]
    falls = kron(csr_array(step), csr_array(np.eye(num_pairs, num_pairs + num_tasks)))
    bounds = np.zeros((2, num_stages, num_pairs + num_tasks))
    bounds[0, :, :num_pairs] = together_RTT[:, first_P, second_P]
    bounds[1] = 1.0
    bounds[1, :, :num_pairs] -= apart_RTT[:, first_P, second_P]
    counted = np.repeat([0.0, 1.0], [num_pairs, num_tasks])
    solved = milp(
        np.outer(cost_R / (cost_R.max() or 1.0), counted).ravel(),
        # With whole pairs a start is whole by itself.
        integrality=np.tile(1.0 - counted, num_stages),
        bounds=Bounds(bounds[0].ravel(), bounds[1].ravel()),
        constraints=[
            LinearConstraint(kron(csr_array(np.eye(num_stages)), stage), bound_RN.ravel(), np.inf),
            LinearConstraint(falls, 0.0, np.inf),
        ],
        options={"mip_rel_gap": 0.0},
    )
    if solved.x is None:
        assert solved.status == _INFEASIBLE, solved.message
        return None
    shared_RTT = np.tile(np.eye(num_tasks, dtype=np.bool_), (num_stages, 1, 1))
    shared_RP = solved.x.reshape(num_stages, -1)[:, :num_pairs] > 0.5
    shared_RTT[:, first_P, second_P] = shared_RTT[:, second_P, first_P] = shared_RP
    return shared_RTT


def _closed_triples(num_tasks: int) -> Any:
    """Rows x(s, t) - x(t, u) - x(s, u) >= -1 for all ways to name three tasks: two pairs that share make the third."""
    from scipy.sparse import csr_array

    index_TT = np.zeros((num_tasks, num_tasks), np.int64)
    pairs = np.triu_indices(num_tasks, k=1)
    num_pairs = index_TT[pairs].size
    index_TT[pairs] = np.arange(num_pairs)
    triples_N3 = np.array(list(combinations(range(num_tasks), 3)), np.int64).reshape(-1, 3)
    sides_N3 = np.stack([index_TT[triples_N3[:, i], triples_N3[:, j]] for i, j in ((0, 1), (1, 2), (0, 2))], axis=1)
    columns = np.broadcast_to(sides_N3[:, None], (len(sides_N3), 3, 3))
    weights = np.broadcast_to(2.0 * np.eye(3) - 1.0, columns.shape)
    rows = np.repeat(np.arange(3 * len(sides_N3)), 3)
    return csr_array((weights.ravel(), (rows, columns.ravel())), shape=(3 * len(sides_N3), num_pairs + num_tasks))


def _contradiction(constraints: Constraints, tasks: Sequence[str], table: CostTable, resource: str) -> str:
    """Why no tree is allowed: a limit on what a task adds, for without any some tree always is."""
    cost_L = np.array([block[resource] for block in table.blocks], np.float64)
    allowed = Allowed.of(constraints, tasks, table, resource)
    for task in constraints.own_cost:
        t = list(tasks).index(task)
        for first_alone in range(int(allowed.accompanied_LT[:, t].sum()), -1, -1):
            accompanied_LT = np.zeros_like(allowed.accompanied_LT)
            accompanied_LT[:first_alone, t] = True
            if cheapest_labels(replace(allowed, accompanied_LT=accompanied_LT), cost_L) is not None:
                break
        if not np.array_equal(accompanied_LT[:, t], allowed.accompanied_LT[:, t]):
            least = own_costs(task, table, resource)[first_alone]
            return (
                f"constraints.own_cost: the tasks that {task} must be apart from leave it alone from block "
                f"{first_alone} on, so it adds at least {least:.15g} {resource}; allow at least that"
            )
    return (
        f"constraints.own_cost: no tree keeps the limits of {', '.join(constraints.own_cost)} at once, with the tasks "
        "that must be apart; allow one of them more"
    )
