"""Tasks: what a network should predict, and how each prediction is trained and measured.

A `Task` is data: name, number of outputs, loss, metrics, weight. The backbone makes its head
(``backbone.make_head(task)``), and the data source provides its labels. `LOSSES` and `METRICS` list the losses and
metrics that have names; any other is passed as a function.

>>> import torch
>>> from nas.data import collate
>>> from nas.tasks import SplitLoss, Task, task_losses
>>> depth = Task(name="depth", num_outputs=1, loss="l1", metrics=("rmse", "mae"))
>>> image = torch.zeros(3, 4, 4)
>>> batch = collate([(image, {"depth": torch.tensor([3.0])}), (image, {})])
>>> task_losses([depth], {"depth": torch.tensor([[1.0], [9.0]])}, batch)
{'depth': tensor(2.)}

Labels may be missing in two ways. A sample without a label is left out of the task's loss, as above (`task_losses`).
An entry without a value in a label, such as a pixel that was not annotated, is left out of the mean
(`nas.tasks.ignore`).

- `SplitLoss` computes a loss over a whole split, which does not depend on the batch size.
- `nas.tasks.labels` describes the labels that each loss and metric accepts; `nas.tasks.survey` checks all labels of a
  split against these descriptions.
- `nas.tasks.losses` and `nas.tasks.metrics` hold the losses and metrics.

Start with `nas.tasks.task`. `nas.datasets` defines the tasks of well-known data sets.
"""

from nas.tasks.losses import LOSSES, LossFunction
from nas.tasks.metrics import METRICS
from nas.tasks.multi_task_loss import task_losses
from nas.tasks.split_loss import SplitLoss
from nas.tasks.task import Task

__all__ = [
    "LOSSES",
    "METRICS",
    "LossFunction",
    "SplitLoss",
    "Task",
    "task_losses",
]
