"""Searches that propose trees and measure each: the order of such a search, and random trees.

A `Proposals` strategy says only which tree comes next. All else is common to them:

1. Separate networks and the cheapest tree are trained for `length` of a training. Gains are relative to the former, and
   the latter is within every budget.
2. The budgets take turns, the smallest first, with equal shares of the trainings. In its turn a strategy proposes trees
   within the budget, and learns what each one gains (`Turn`). A tree that is known is not trained again.
3. Separate networks and the best trees of every budget, by the short trainings, are trained to the full length.

The gain of a tree is the mean over the tasks of -100 log(loss), less that of separate networks trained as long: about
what a task's validation loss is lower by, in percent. The tree found for a budget is the best one measured that keeps
it, whichever turn proposed it. Each tree is trained once, so a gain has no interval, and chance makes the best of many
gains look larger than it is.

A search that is started again proposes the same trees from the results that the evaluator has stored:

>>> from nas.strategies.proposals import RandomTrees
>>> RandomTrees(trainings=6, length=0.5, finals=1)
RandomTrees(trainings=6.0, hours=None, length=0.5, batch=1, finals=1)

Start with `strategy`; `measurements` spends the trainings, `conclusion` chooses the trees. ``proposals.json`` of a
trial has every result and the cost of the search.
"""

from typing import TYPE_CHECKING

from nas.lazy_names import on_first_use

if TYPE_CHECKING:
    from nas.strategies.proposals.random_trees import RandomTrees
    from nas.strategies.proposals.strategy import Proposals
    from nas.strategies.proposals.turn import Turn
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["Proposals", "RandomTrees", "Turn"]
