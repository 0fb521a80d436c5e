"""Strategies: how trees are found.

A strategy has one method, ``search(problem) -> Found``. The `Problem` holds tasks, backbone, data, costs, goal, seed
and device; `Found` holds the trees with their estimates and, if the strategy has them, a curve and a diagnosis. The
`Goal` says which trees are wanted and does not depend on the strategy. Settings are fields of the strategy itself:

    >>> Similarity(epochs=6).num_epochs
    6
    >>> {"bmtas", "gradient", "ltb", "similarity", "transfer"} <= STRATEGIES.keys()
    True

These strategies are here:

- `nas.strategies.similarity` trains several networks of every task and compares their features, block by block;
- `nas.strategies.gradient` trains a supernet and its logits in turn; `bmtas` is its published setting;
- `nas.strategies.parents` trains a supernet in which nodes choose their parents, together with its logits; `ltb` is its
  published setting;
- `nas.strategies.transfer` trains some trees briefly, and learns from the results what sharing does;
- `nas.strategies.affinity` has five other published ways: networks of two tasks, cosines of gradients, look-ahead
  steps, representation dissimilarities, and merging from the input upwards.
- `nas.strategies.proposals` measures trees that are proposed one after the other: random ones, or those of
  `nas.strategies.nni`, the strategies of the library NNI.

Start with `protocol`: it documents what a strategy gets and returns, with an example of 20 lines. To add a strategy,
write its file and add one line to `names`.
"""

from typing import TYPE_CHECKING

from nas.lazy_names import on_first_use

if TYPE_CHECKING:
    from nas.strategies.affinity import BottomUp, GradientAffinity, Grouping, Lookahead, TwoTask, what_to_share
    from nas.strategies.goal import Goal
    from nas.strategies.gradient import Gradient, bmtas
    from nas.strategies.names import PRESETS, STRATEGIES
    from nas.strategies.nni import TPE, Evolution, PolicyRL
    from nas.strategies.parents import ParentChoice, ltb
    from nas.strategies.proposals import RandomTrees
    from nas.strategies.protocol import FirstSteps, Found, FoundTree, History, Problem, Strategy
    from nas.strategies.similarity import Similarity
    from nas.strategies.store import Store
    from nas.strategies.transfer import Transfer
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "PRESETS",
    "STRATEGIES",
    "TPE",
    "BottomUp",
    "Evolution",
    "FirstSteps",
    "Found",
    "FoundTree",
    "Goal",
    "Gradient",
    "GradientAffinity",
    "Grouping",
    "History",
    "Lookahead",
    "ParentChoice",
    "PolicyRL",
    "Problem",
    "RandomTrees",
    "Similarity",
    "Store",
    "Strategy",
    "Transfer",
    "TwoTask",
    "bmtas",
    "ltb",
    "what_to_share",
]
