"""A task: what a head predicts, and how it is trained and measured."""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import (
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)
from torch import nn

from nas.errors import no_such
from nas.fields import Settings
from nas.tasks.library import torchmetrics
from nas.tasks.losses import LOSSES, LossFunction
from nas.tasks.metrics import METRICS


class Task(Settings):
    """A task on the shared input.

    Args:
        name: letters, digits and underscores; it names files, columns and outputs.
        num_outputs: number of channels or units of the head's output.
        loss: a name from `nas.tasks.losses.LOSSES`, or a function of (outputs, labels) that returns their mean loss; in
            evaluation it gets a few samples at a time (`nas.tasks.split_loss`).
        metrics: names from `nas.tasks.metrics.METRICS`, or functions of the task that make a torchmetrics.Metric with
            `higher_is_better` set. The first one is the task's main metric.
        weight: factor of the loss in the sum over tasks.
        labels: names of the outputs (classes), if they have names.
        dense: whether the task has one output per pixel (true) or per sample (false). Backbones whose heads differ read
            it; None leaves it to the backbone.
        center, scale: the network's outputs are ``center + scale * head(features, size)``. For numbers far from 0 or
            much larger than 1, such as prices, state the mean and the deviation of the training labels. A squared error
            then wants the weight ``1 / scale**2``.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)
    num_outputs: PositiveInt
    loss: str | LossFunction
    metrics: tuple[str | Callable[["Task"], torchmetrics.Metric], ...] = Field(min_length=1)
    weight: PositiveFloat = 1.0
    labels: tuple[str, ...] | None = None
    dense: bool | None = None
    center: FiniteFloat = 0.0
    scale: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)

    @field_validator("name")
    @classmethod
    def _free_name(cls, name: str) -> str:
        if is_reserved(name):
            raise ValueError(f"{name!r} is the name of a part of every torch module; choose another, {name}_task say")
        return name

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, loss: Any) -> Any:
        return _known("loss", loss, LOSSES)

    @field_validator("metrics")
    @classmethod
    def _known_metrics(cls, metrics: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(_known("metric", metric, METRICS) for metric in metrics)

    @model_validator(mode="after")
    def _one_label_per_output(self) -> "Task":
        if self.labels is not None and len(self.labels) != self.num_outputs:
            raise ValueError(
                f"labels must name each of {self.name}'s {self.num_outputs} outputs; found {len(self.labels)} names"
            )
        return self


def is_reserved(name: str) -> bool:
    """Whether a task cannot have a name: heads are submodules of that name, and every module has an attribute of it."""
    return hasattr(nn.ModuleDict(), name)


def _known(kind: str, given: Any, known: Iterable[str]) -> Any:
    if isinstance(given, str) and given not in known:
        raise ValueError(f"{no_such(kind, given, known)}; pass any other as a function")
    return given
