"""A task: what a head has to produce, and how it is judged."""

from collections.abc import Callable

import torchmetrics
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt
from torch import Tensor

LossFunction = Callable[[Tensor, Tensor], Tensor]
"""(outputs [n, ...], labels [n, ...]) -> mean loss, a scalar. Only samples that have the label are passed."""


class Task(BaseModel):
    """A task on the shared input.

    Args:
        name: letters, digits and underscores; it names files, columns and outputs.
        num_outputs: channels or units of the head's output.
        loss: a name from `nas.tasks.losses.LOSSES`, or a function of (outputs, labels).
        metrics: by name: a name from `nas.tasks.metrics.METRICS`, or a function of the task that makes a
            torchmetrics.Metric with `higher_is_better` set. The first one is the task's main metric.
        weight: factor of the loss in the sum over tasks.
        labels: names of the outputs (classes), where they have names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)
    num_outputs: PositiveInt
    loss: str | LossFunction
    metrics: tuple[str | Callable[["Task"], torchmetrics.Metric], ...] = Field(min_length=1)
    weight: PositiveFloat = 1.0
    labels: tuple[str, ...] | None = None
