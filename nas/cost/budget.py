"""Budgets: from a share or an amount, as a user states it, to an absolute amount of a resource."""

import math
from decimal import ROUND_CEILING, Decimal
from typing import Any

from nas.errors import InputError
from nas.tree import BranchTree, CostTable


def resolve_budget(value: float, table: CostTable, resource: str, *, cheapest: BranchTree | None = None) -> float:
    """The absolute amount of a resource that a budget allows.

    Args:
        value: a share in (0, 1] of the cost of T complete single-task networks, or, above 1, an absolute amount
            in the unit of the resource (one millisecond or less must be stated as a share).
        table: costs of the backbone's parts for the T tasks.
        resource: one of the table's resources.
        cheapest: the cheapest tree that constraints allow; by default the fully shared one.

    Raises:
        InputError: the value is not a positive, finite number, or the cheapest tree costs more; the message then names
            the smallest feasible budget.
    """
    if resource not in table.resources:
        raise InputError(f"resource must be one of {list(table.resources)}; found {resource!r}")
    amount = _positive(value)
    separate = table.separate_cost()[resource]
    budget = amount * separate if amount <= 1.0 else amount
    shared = smallest_budget(table, resource)
    smallest = shared if cheapest is None else float(table.tree_cost(cheapest)[resource])
    # A user who computes the share of the fully shared network by dividing means that network, whatever the rounding.
    if math.isclose(budget, smallest, rel_tol=1e-12):
        return smallest
    if budget < smallest:
        which = "fully shared network" if smallest == shared else "cheapest tree that keeps the constraints"
        raise InputError(
            f"budget {value} allows {budget:.6g} {resource}, but the {which} costs more; the smallest "
            f"feasible budget is {_round_up(smallest / separate)} of the separate networks' cost, "
            f"or {smallest:.15g} {resource}"
        )
    return budget


def smallest_budget(table: CostTable, resource: str) -> float:
    """The cost of the fully shared network."""
    tree = BranchTree.shared(tuple(table.heads), len(table.blocks))
    return float(table.tree_cost(tree)[resource])


def _positive(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise InputError(
            "a budget is a share in (0, 1] of the separate networks' cost, or an absolute amount above 1; "
            f"found {value!r}"
        )
    return float(value)


def _round_up(share: float) -> Decimal:
    """A share rounded up to three decimals (more for small shares), so that the budget in the message is feasible."""
    exact = Decimal(share)
    return exact.quantize(Decimal(1).scaleb(min(exact.adjusted(), -1) - 2), rounding=ROUND_CEILING)
