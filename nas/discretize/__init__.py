"""Discretisation: from dissimilarities of tasks, block by block, to the best branch tree for every budget.

- A dissimilarity d_l(s, t) says how much tasks s and t lose by sharing block l; below zero they gain.
  `dissimilarity_from_logits` and `dissimilarity_from_parents` derive it from the logits of a search;
  `nas.strategies.similarity` measures it.
- `discretize` finds all trees that no other tree beats in both cost and sum of dissimilarities within groups: a curve.
  ``curve.within(budget)`` is the best tree within a budget, ``curve.elbow()`` a compromise if there is no budget.
- `Constraints` say which tasks must share a block, which must not, and how much a task may add.
- `margin` compares the best tree with the second-best one. `argmax_tree` is the rule of the published methods.

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

Start with `nas.discretize.programme`, which has the formula; `nas.discretize.chains` has the algorithm for up to
`EXACT_TASKS` tasks, `nas.discretize.beam` the one for more.
"""

from typing import TYPE_CHECKING

from nas.discretize.margin import Margin, margin, value_of
from nas.lazy_names import on_first_use

if TYPE_CHECKING:
    from nas.discretize.allowed import keeps_constraints
    from nas.discretize.argmax import argmax_tree, count_changed_choices
    from nas.discretize.cheapest import cheapest_tree
    from nas.discretize.constraints import Apart, Constraints, Together
    from nas.discretize.curve import Curve, CurvePoint
    from nas.discretize.dissimilarity import dissimilarity_from_logits
    from nas.discretize.parents import (
        ancestor_agreement,
        argmax_parents_tree,
        count_changed_parents,
        dissimilarity_from_parents,
    )
    from nas.discretize.programme import EXACT_TASKS, discretize
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "EXACT_TASKS",
    "Apart",
    "Constraints",
    "Curve",
    "CurvePoint",
    "Margin",
    "Together",
    "ancestor_agreement",
    "argmax_parents_tree",
    "argmax_tree",
    "cheapest_tree",
    "count_changed_choices",
    "count_changed_parents",
    "discretize",
    "dissimilarity_from_logits",
    "dissimilarity_from_parents",
    "keeps_constraints",
    "margin",
    "value_of",
]
