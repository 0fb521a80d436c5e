"""The bilevel gradient search of BMTAS (Bruggemann et al., BMVC 2020): weights and logits in turn.

`steps` has the two steps, `search` orders, logs and checkpoints them, `settings` names every choice, and `state`
is all that changes. The published setting is `published`.
"""

from nas.bilevel.search import BilevelSearch, OnEpoch
from nas.bilevel.settings import GradientSettings, published
from nas.bilevel.state import SearchState
from nas.bilevel.steps import logits_step, weight_step

__all__ = [
    "BilevelSearch",
    "GradientSettings",
    "OnEpoch",
    "SearchState",
    "logits_step",
    "published",
    "weight_step",
]
