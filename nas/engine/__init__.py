"""The engine: what every training needs, whatever it trains.

- `nas.engine.optimizer`: optimisers and learning-rate schedules as settings.
- `nas.engine.compute`: precision, memory format and compilation as settings.
- `nas.engine.checkpoint`: one file per epoch, which can be loaded without running code from it.
- `nas.engine.ranks`: processes that train one network together, each on its part of every batch. `Ranks` exchanges
  gradients, losses, numbers of labels and rank 0's decisions.
- `nas.engine.batch_norm`: `synchronise_batch_norm` makes BatchNorms use the whole batch, not a rank's part of it.

A single process is the case `SINGLE_PROCESS`, in which `Ranks` returns what it is given and `synchronise_batch_norm`
does nothing, so training loops need no branches. `nas.launch` starts the processes.

>>> import torch
>>> from nas.engine import SINGLE_PROCESS
>>> from nas.engine.optimizer import ScheduleSettings
>>> SINGLE_PROCESS.is_first, SINGLE_PROCESS.shard
(True, (0, 1))
>>> SINGLE_PROCESS.broadcast(torch.tensor([3.0]))
tensor([3.])
>>> schedule = ScheduleSettings(kind="cosine", warmup=0.5)
>>> [schedule.factor(progress) for progress in (0.25, 0.5, 0.75, 1.0)]
[0.5, 1.0, 0.5, 0.0]

Start with `nas.engine.ranks`, which explains how losses of a shared batch are put together.
"""

from nas.engine.batch_norm import is_synchronised, synchronise_batch_norm
from nas.engine.ranks import SINGLE_PROCESS, Ranks, as_real

__all__ = ["SINGLE_PROCESS", "Ranks", "as_real", "is_synchronised", "synchronise_batch_norm"]
