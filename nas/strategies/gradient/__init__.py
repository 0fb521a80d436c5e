"""The differentiable search of BMTAS (Bruggemann et al., BMVC 2020): weights and logits of a supernet in turn.

`Gradient` is the strategy, and `bmtas` its published setting. `steps` has the two optimiser steps, `search` orders them
into epochs and saves checkpoints, `settings` names every choice, and `state` holds all that changes.

    >>> bmtas(epochs=2).routing
    'soft'
"""

from nas.strategies.gradient.search import BilevelSearch
from nas.strategies.gradient.settings import GradientSettings, published
from nas.strategies.gradient.state import SearchRecord, SearchState
from nas.strategies.gradient.steps import logits_step, weight_step
from nas.strategies.gradient.strategy import Gradient, bmtas

__all__ = [
    "BilevelSearch",
    "Gradient",
    "GradientSettings",
    "SearchRecord",
    "SearchState",
    "bmtas",
    "logits_step",
    "published",
    "weight_step",
]
