"""From logits, or any dissimilarity of tasks at blocks, to branch trees.

`discretize` gives the whole curve of trees against budgets: ``curve.within(budget)`` is the best tree that a budget
allows, ``curve.elbow()`` a good one without a budget. `argmax_tree` is the published rule.

>>> import torch
>>> from nas.discretize import discretize, dissimilarity_from_logits
>>> from nas.tree import CostTable
>>> tasks = ["semseg", "depth", "edge"]
>>> table = CostTable(
...     stem={"macs": 1}, blocks=({"macs": 10},) * 2, heads=dict.fromkeys(tasks, {"macs": 2}), block_names=("a", "b")
... )
>>> logits_LTC = torch.zeros(2, 3, 3)
>>> logits_LTC[:, 0, 0] = logits_LTC[:, 1, 0] = logits_LTC[0, 2, 0] = logits_LTC[1, 2, 2] = 4.0
>>> curve = discretize(tasks, dissimilarity_from_logits(logits_LTC), table, "macs")
>>> [(point.cost, round(point.value, 2), point.tree.num_groups) for point in curve]
[(27.0, -0.6, (1, 1)), (37.0, -0.88, (1, 2))]
>>> curve.within(30).tree.partitions[1]
(('semseg', 'depth', 'edge'),)
>>> curve.elbow().cost, curve.exact
(27.0, True)
"""

from nas.discretize.argmax import argmax_tree, count_changed_choices
from nas.discretize.cheapest import cheapest_tree
from nas.discretize.constraints import Apart, Constraints, Together
from nas.discretize.curve import Curve, CurvePoint
from nas.discretize.dissimilarity import dissimilarity_from_logits
from nas.discretize.margin import Margin, margin
from nas.discretize.programme import EXACT_TASKS, discretize

__all__ = [
    "EXACT_TASKS",
    "Apart",
    "Constraints",
    "Curve",
    "CurvePoint",
    "Margin",
    "Together",
    "argmax_tree",
    "cheapest_tree",
    "count_changed_choices",
    "discretize",
    "dissimilarity_from_logits",
    "margin",
]
