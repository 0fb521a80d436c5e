"""Published ways to find a tree, as strategies on the problem, evaluator and exact programme of the others.

Each measures in its own way what tasks do for each other at every block, the affinity. Dissimilarities come from it,
and `nas.discretize.discretize` gives the best tree within every budget:

    >>> import torch
    >>> from nas.strategies.affinity import unlikeness
    >>> unlikeness(torch.tensor([[[1.0, 0.25], [0.5, 1.0]]])).tolist()
    [[[0.0, 0.625], [0.625, 0.0]]]

| strategy | affinity | source |
| --- | --- | --- |
| `TwoTask` | results of trained networks of two tasks | TreeMTL |
| `Grouping` | results of trained networks of two tasks; trees that branch at the root only | Standley et al. |
| `GradientAffinity` | cosine of the tasks' gradients in the shared network | many; prototype of this project |
| `Lookahead` | what a step on one task does to the loss of another | TAG |
| `what_to_share` | rank correlation of representation dissimilarities | Vandenhende et al. |
| `BottomUp` | CKA of features; no programme, it merges blocks while it trains | MTSL |

Start with `conclusion`: it turns a record into trees. `shared_training` trains the fully shared network that
`gradients` and `lookahead` measure; `merging` says which blocks `BottomUp` may merge. Each strategy says in its
docstring where it differs from its source.
"""

from nas.strategies.affinity.bottom_up import BottomUp
from nas.strategies.affinity.gradient_affinity import GradientAffinity
from nas.strategies.affinity.grouping import Grouping
from nas.strategies.affinity.lookahead import Lookahead
from nas.strategies.affinity.pair_means import unlikeness
from nas.strategies.affinity.record import AffinityRecord
from nas.strategies.affinity.two_task import TwoTask
from nas.strategies.affinity.what_to_share import what_to_share

__all__ = [
    "AffinityRecord",
    "BottomUp",
    "GradientAffinity",
    "Grouping",
    "Lookahead",
    "TwoTask",
    "unlikeness",
    "what_to_share",
]
