"""The differentiable search of BMTAS (Bruggemann et al., BMVC 2020).

A supernet holds C candidates of every block. The logits [L, T, C] say how much each task uses each candidate. The
search trains the weights on one split and the logits on another, in turn, while a penalty lowers the expected cost.
Tasks whose logits favour the same candidate share the block in the discrete tree.

`Gradient` is the strategy, and `bmtas` is its published setting:

    >>> bmtas(epochs=2).routing
    'soft'
    >>> Gradient(epochs=10, warmup=0.2).warmup_epochs
    2

Start with `steps`, which has the two optimiser steps. `search` arranges them in epochs and saves checkpoints, `state`
holds all that changes, `settings` documents every field, and `diagnostics` describes how decided the logits are.
"""

from typing import TYPE_CHECKING

from nas.lazy_names import on_first_use

if TYPE_CHECKING:
    from nas.strategies.gradient.search import BilevelSearch
    from nas.strategies.gradient.settings import GradientSettings, published
    from nas.strategies.gradient.state import SearchRecord, SearchState
    from nas.strategies.gradient.steps import logits_step, weight_step
    from nas.strategies.gradient.strategy import Gradient, bmtas
else:
    __getattr__, __dir__ = on_first_use(__name__)

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
