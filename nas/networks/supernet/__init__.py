"""The differentiable network that a search trains: every candidate of every block, mixed by a routing.

A routing is data: `sample_routing` draws one from logits, `one_hot_routing` makes one from choices, and
`own_copy_routing` is the warm-up's, in which every task keeps to its own copies.
"""

from nas.networks.supernet.routing import one_hot_routing, own_copy_routing, sample_routing
from nas.networks.supernet.supernet import Supernet, remove_last_affine, reset_running_statistics

__all__ = [
    "Supernet",
    "one_hot_routing",
    "own_copy_routing",
    "remove_last_affine",
    "reset_running_statistics",
    "sample_routing",
]
