"""The supernet, which a search trains: C candidates of every block, mixed by a routing.

A routing is data, [L, T, C]: the weight of each candidate, for each block and task. `sample_routing` draws one from
logits, `one_hot_routing` makes one from choices, and `own_copy_routing` gives every task its own copy of each block.
The supernet holds weights only; logits belong to the search.

>>> import torch
>>> from nas.networks.supernet import one_hot_routing, sample_routing
>>> one_hot_routing([[0, 1]], num_candidates=2)
tensor([[[1., 0.],
         [0., 1.]]])
>>> logits_LTC = torch.zeros(6, 3, 3)
>>> routing_LTC = sample_routing(logits_LTC, 1.0, hard=False, generator=torch.Generator().manual_seed(0))
>>> torch.allclose(routing_LTC.sum(-1), torch.ones(6, 3))
True

`ParentSupernet` is another space, in which the nodes of a block read nodes of the block before it. Its routings are one
tensor for each block, which `sample_parents` draws and `one_hot_parents` makes from choices.

Start with `nas.networks.supernet.supernet`; its `Supernet.forward` has the formula.
"""

from nas.networks.supernet.parents import ParentSupernet, Routings, one_hot_parents, sample_parents
from nas.networks.supernet.routing import one_hot_routing, own_copy_routing, sample_routing
from nas.networks.supernet.supernet import Supernet, remove_last_affine, reset_running_statistics

__all__ = [
    "ParentSupernet",
    "Routings",
    "Supernet",
    "one_hot_parents",
    "one_hot_routing",
    "own_copy_routing",
    "remove_last_affine",
    "reset_running_statistics",
    "sample_parents",
    "sample_routing",
]
