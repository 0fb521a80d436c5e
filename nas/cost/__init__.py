"""What trees cost: measured per part, expected over random trees, limited by a budget, and as a penalty on logits."""

from nas.cost.budget import resolve_budget, smallest_budget
from nas.cost.expected import expected_cost, expected_groups
from nas.cost.penalty import DualPenalty, FixedPenalty, Penalty, PenaltyState
from nas.cost.table import PartCost, Profile, count_module, measure_costs

__all__ = [
    "DualPenalty",
    "FixedPenalty",
    "PartCost",
    "Penalty",
    "PenaltyState",
    "Profile",
    "count_module",
    "expected_cost",
    "expected_groups",
    "measure_costs",
    "resolve_budget",
    "smallest_budget",
]
