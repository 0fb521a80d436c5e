"""Strategies: how trees are found.

A strategy has one method, ``search(problem) -> Found``. The `Problem` holds tasks, backbone, data, costs, goal, seed
and device; `Found` holds the trees with their estimates and, if the strategy has them, a curve and a diagnosis. The
`Goal` says which trees are wanted and does not depend on the strategy. Settings are fields of the strategy itself:

    >>> Similarity(epochs=6).num_epochs
    6
    >>> sorted(STRATEGIES)
    ['bmtas', 'gradient', 'similarity']

Two strategies are here:

- `nas.strategies.similarity` trains several networks of every task and compares their features, block by block;
- `nas.strategies.gradient` trains a supernet and its logits in turn; `bmtas` is its published setting.

Start with `protocol`: it documents what a strategy gets and returns, with an example of 20 lines. To add a strategy,
write its file and add one line to `names`.
"""

from nas.strategies.goal import Goal
from nas.strategies.gradient import Gradient, bmtas
from nas.strategies.names import STRATEGIES
from nas.strategies.protocol import FirstSteps, Found, FoundTree, History, Problem, Strategy
from nas.strategies.similarity import Similarity
from nas.strategies.store import Store

__all__ = [
    "STRATEGIES",
    "FirstSteps",
    "Found",
    "FoundTree",
    "Goal",
    "Gradient",
    "History",
    "Problem",
    "Similarity",
    "Store",
    "Strategy",
    "bmtas",
]
