"""Tasks: what the network has to produce, and how each output is trained and judged.

A `Task` is data: a name, a number of outputs, a loss, metrics, a weight. The head that produces the outputs is the
backbone's business (``backbone.make_head(task)``), the labels are the data source's. Losses and metrics that have a
name are listed in two dicts, `LOSSES` and `METRICS`; anything else is passed as a function:

    >>> Task(name="depth", num_outputs=1, loss="l1", metrics=("rmse", "mae")).weight
    1.0

Labels may be missing twice over. A sample without a label for a task takes no part in that task's loss
(`task_losses`); an entry of a label that nobody annotated (a pixel, an attribute) takes no part in the mean
(`nas.tasks.ignore`).

A loss over a split does not depend on the batch size (`SplitLoss`). The losses of a training epoch are averaged over
its steps (`nas.tasks.epoch_losses`).
What labels a loss or metric takes is stated beside it (`nas.tasks.labels`), and `nas.tasks.survey` holds the labels of
a whole split against it.

The tasks of the usual data sets are in `nas.datasets`.
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
