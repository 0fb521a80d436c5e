"""The cost of trees: measured for each part, expected under a distribution of trees, budgets, and penalties on logits.

`measure_costs` measures; the rest is arithmetic on its `CostTable`. What can be measured, and its unit, is in
`nas.cost.resources`.

>>> import torch
>>> from nas.cost import DualPenalty, expected_cost, resolve_budget
>>> from nas.tree import CostTable
>>> table = CostTable(
...     stem={"macs": 1},
...     blocks=({"macs": 10}, {"macs": 20}),
...     heads={"semseg": {"macs": 3}, "edge": {"macs": 2}},
...     block_names=("a", "b"),
... )
>>> logits_LTC = torch.zeros(2, 2, 2, requires_grad=True)
>>> cost = expected_cost(torch.softmax(logits_LTC, dim=-1), table, "macs")
>>> cost.item()
56.0

That is 1 for the stem, 3 + 2 for the heads, 10 times 1.5 expected groups and 20 times 1.75. A penalty grows while the
expected cost is above its target, which moves from the initial cost to the budget:

>>> penalty, budget = DualPenalty(), resolve_budget(0.7, table, "macs")
>>> scale = table.separate_cost()["macs"]
>>> state = penalty.initial_state(cost.item())
>>> loss = penalty.loss(state, cost, 0.1, budget, scale)
>>> state = penalty.update(state, cost.item(), 0.1, budget, scale)
>>> state.dual > 0
True

Start with `nas.cost.operators`, which defines a MAC, and `nas.cost.table`, which measures.
"""

from typing import TYPE_CHECKING

from nas.lazy_names import on_first_use

if TYPE_CHECKING:
    from nas.cost.budget import resolve_budget, smallest_budget
    from nas.cost.expected import expected_cost, expected_groups
    from nas.cost.latency import LatencyTable, Runtime, describe_device
    from nas.cost.operators import einsum_macs
    from nas.cost.parents import expected_nodes, expected_parent_cost
    from nas.cost.penalty import DualPenalty, FixedPenalty, Penalty, PenaltyState
    from nas.cost.prefixes import Prefixes, torch_prefixes
    from nas.cost.resources import RESOURCES, Resource, find_resource, format_quantity
    from nas.cost.table import PartCost, Profile, count_module, measure_costs
    from nas.cost.timing import Timing, time_calls, time_rounds
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "RESOURCES",
    "DualPenalty",
    "FixedPenalty",
    "LatencyTable",
    "PartCost",
    "Penalty",
    "PenaltyState",
    "Prefixes",
    "Profile",
    "Resource",
    "Runtime",
    "Timing",
    "count_module",
    "describe_device",
    "einsum_macs",
    "expected_cost",
    "expected_groups",
    "expected_nodes",
    "expected_parent_cost",
    "find_resource",
    "format_quantity",
    "measure_costs",
    "resolve_budget",
    "smallest_budget",
    "time_calls",
    "time_rounds",
    "torch_prefixes",
]
