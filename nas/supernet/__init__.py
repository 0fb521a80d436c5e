"""The differentiable network that a search trains: every candidate of every block, mixed by a routing.

A routing is data: `sample_routing` draws one from logits, `one_hot_routing` makes one from choices, and
`own_copy_routing` is the warm-up's, in which every task keeps to its own copies.
"""

from nas.supernet.routing import one_hot_routing, own_copy_routing, sample_routing
from nas.supernet.supernet import Supernet, reset_running_statistics, without_last_affine

__all__ = [
    "Supernet",
    "one_hot_routing",
    "own_copy_routing",
    "reset_running_statistics",
    "sample_routing",
    "without_last_affine",
]
