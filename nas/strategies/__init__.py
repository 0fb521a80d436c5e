"""Strategies: how trees are found.

A `Problem` (tasks, backbone, data, costs, goal, seed, device) goes in, and what was `Found` comes out: trees with
estimates, a curve, a diagnosis. `Goal` says which trees are wanted, whatever finds them. A strategy's settings are its
own fields:

    >>> Similarity(epochs=6).num_epochs
    6
    >>> sorted(STRATEGIES)
    ['bmtas', 'gradient', 'similarity']

`protocol` documents what a strategy is, with an example of 30 lines; `similarity` and `gradient` are the two that are
here, and `bmtas` is the published setting of the second. To add one, write its file and its line in `names`.
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
