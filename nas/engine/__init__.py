"""Processes that train one network together, each on its part of every batch.

`Ranks` is what they tell one another: gradients, losses, counts of labels, rank 0's decisions.
`synchronise_batch_norm` lets BatchNorms see the whole batch. Both are the identity for a process that is alone, so the
loops that train have no branches. Who starts the processes does not matter here; `nas.launch` does it with Ray.
"""

from nas.engine.batch_norm import SynchronisedBatchNorm, is_synchronised, synchronise_batch_norm
from nas.engine.ranks import SINGLE_PROCESS, Ranks, as_real

__all__ = ["SINGLE_PROCESS", "Ranks", "SynchronisedBatchNorm", "as_real", "is_synchronised", "synchronise_batch_norm"]
