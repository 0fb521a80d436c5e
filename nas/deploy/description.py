"""The description inside every exported network, as plain data: how to feed it, and what its outputs mean."""

import json
from math import prod
from typing import Annotated, Any, Literal

import torch
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from torch import Tensor

from nas.cost import Timing
from nas.data import PixelScale
from nas.deploy.output_kind import OutputKind, output_kind
from nas.errors import InputError, explain
from nas.limits import MOST_OUTPUTS, MOST_TASKS, MOST_VALUES
from nas.tasks import LOSSES, METRICS, Task
from nas.training import Measured
from nas.tree import BranchTree

KEY = "branched_nas"
"""The name under which ONNX's metadata and a .pt2's extra files hold the description."""
_MOST_NUMBERS = 8


def _check_size(shape: tuple[int, ...]) -> tuple[int, ...]:
    if prod(shape) > MOST_VALUES:
        raise ValueError(f"the shape {list(shape)} has more than {MOST_VALUES} numbers")
    return shape


Shape = Annotated[tuple[PositiveInt, ...], Field(max_length=_MOST_NUMBERS), AfterValidator(_check_size)]
"""Of one sample, without the batch."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TaskRecord(_Record):
    """What an exported network knows of a task.

    Args:
        shape: of its output for one sample of the input's shape.
        position: among all tasks of the recipe, which decides about its colour; None in older files.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)
    num_outputs: int = Field(ge=1, le=MOST_OUTPUTS)
    kind: OutputKind
    shape: Shape
    labels: tuple[str, ...] | None = None
    loss: str | None = None
    metrics: tuple[str, ...] = ()
    dense: bool | None = None
    center: FiniteFloat = 0.0
    scale: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    position: int | None = Field(default=None, ge=0, lt=MOST_TASKS)

    @classmethod
    def of(cls, task: Task, shape: tuple[int, ...], position: int | None = None) -> "TaskRecord":
        return cls(
            name=task.name,
            num_outputs=task.num_outputs,
            kind=output_kind(task),
            shape=shape,
            labels=task.labels,
            loss=task.loss if isinstance(task.loss, str) else None,
            metrics=tuple(metric for metric in task.metrics if isinstance(metric, str)),
            dense=task.dense,
            center=task.center,
            scale=task.scale,
            position=position,
        )

    @model_validator(mode="after")
    def _one_label_per_output(self) -> "TaskRecord":
        if self.labels is not None and len(self.labels) != self.num_outputs:
            raise ValueError(f"{len(self.labels)} labels for {self.num_outputs} outputs")
        return self

    @model_validator(mode="after")
    def _one_logit_per_class(self) -> "TaskRecord":
        if self.kind == "classes" and self.shape[:1] != (self.num_outputs,):
            raise ValueError(f"{self.num_outputs} classes of outputs of shape {list(self.shape)}")
        return self

    def task(self) -> Task:
        """The task; a loss or metric that was a function of the recipe raises an InputError when it is called."""
        loss = self.loss if self.loss in LOSSES else _missing_function(f"the loss of {self.name}")
        metrics = [metric for metric in self.metrics if metric in METRICS]
        return Task(
            name=self.name,
            num_outputs=self.num_outputs,
            loss=loss,
            metrics=tuple(metrics) or (_missing_function(f"the metric of {self.name}"),),
            labels=self.labels,
            dense=self.dense,
            center=self.center,
            scale=self.scale,
        )


class Pixels(_Record):
    """``(bytes / 255 - mean) / std`` per channel (`nas.data.PixelScale`)."""

    mean: tuple[float, ...] = Field(max_length=MOST_TASKS)
    std: tuple[PositiveFloat, ...] = Field(max_length=MOST_TASKS)

    @classmethod
    def of(cls, scale: PixelScale | None) -> "Pixels | None":
        return None if scale is None else cls(mean=scale.mean, std=scale.std)

    def to_inputs(self, unit_CHW: Tensor) -> Tensor:
        """The inputs for pixels [..., C, H, W] in [0, 1]."""
        mean_C11, std_C11 = self.columns()
        return (unit_CHW - mean_C11) / std_C11

    def from_inputs(self, inputs: Tensor) -> Tensor:
        """The pixels in [0, 1] that inputs [..., C, H, W] were made from."""
        mean_C11, std_C11 = self.columns()
        return inputs * std_C11 + mean_C11

    def columns(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, [C, 1, 1] each."""
        mean_C11, std_C11 = (torch.tensor(numbers)[:, None, None] for numbers in (self.mean, self.std))
        return mean_C11, std_C11

    @model_validator(mode="after")
    def _one_each(self) -> "Pixels":
        if len(self.mean) != len(self.std):
            raise ValueError(f"{len(self.mean)} means and {len(self.std)} standard deviations")
        return self


class InputRecord(_Record):
    """What a network takes.

    Args:
        shape: of one sample.
        dynamic_size: whether height and width may be others.
        pixels: how pictures become inputs, if they do.
        takes_pixels: whether the network takes bytes, uint8 in 0 to 255, and scales them itself.
        range: least and largest value among the samples it was verified on.
    """

    shape: Shape = Field(min_length=1)
    dynamic_size: bool = False
    pixels: Pixels | None = None
    takes_pixels: bool = False
    range: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _pixels_of_its_channels(self) -> "InputRecord":
        if self.pixels is None and self.takes_pixels:
            raise ValueError("it takes pixels, but does not say how they are scaled")
        if self.pixels is not None and (len(self.shape) != 3 or len(self.pixels.mean) != self.shape[0]):
            raise ValueError(f"pixels of {len(self.pixels.mean)} channels for inputs of shape {list(self.shape)}")
        return self


class Verification(_Record):
    """How an exported network was compared with the network it was made from.

    Args:
        num_samples, samples: the number of samples, and where they come from.
        deviation: by task, the largest absolute difference of an output.
        scale: by task, the largest absolute output.
        macs: multiply-adds of one sample, counted on the exported graph, if it has one that is counted.
        macs_by_operator: the same by the names of the graph's operators.
        uncounted: operators of the graph whose arithmetic is not counted.
    """

    num_samples: PositiveInt
    samples: str
    deviation: dict[str, float]
    scale: dict[str, float]
    macs: int | None = None
    macs_by_operator: dict[str, int] = {}
    uncounted: tuple[str, ...] = ()

    @property
    def worst(self) -> tuple[str, float]:
        """The task with the largest deviation relative to its scale, and that."""
        relative = {task: self.deviation[task] / (self.scale[task] or 1.0) for task in self.deviation}
        return max(relative.items(), key=lambda item: item[1])


class Measurement(_Record):
    """What the network's training measured: by task, its loss and metrics on a split."""

    split: str
    metrics: Measured


class Quantization(_Record):
    """How an int8 model was made from a float one, and how the two compare.

    Args:
        num_samples: samples of the training split that calibrated the ranges of activations.
        split: on which the metrics of both were measured, each as ``nas evaluate --checkpoint`` measures an export.
        float_metrics, int8_metrics: by task, losses and metrics.
        device: what the latencies were measured on, in words.
        float_ms, int8_ms: latencies of both, timed in turns.
    """

    num_samples: PositiveInt
    split: str
    float_metrics: Measured
    int8_metrics: Measured
    device: str
    float_ms: Timing
    int8_ms: Timing


class Description(_Record):
    """What an exported network says about itself.

    Args:
        format: the name of the format that it is written in (`nas.deploy.formats`).
        tasks: in the order of its outputs.
        tree: as in a tree file.
        input: what it takes.
        answers: whether outputs are answers (`nas.deploy.output_kind.answers`), or what the heads give.
        cost: of one sample at the input's shape, as predicted from the parts.
        measured: with which metrics, if it was trained.
        verified: how far its outputs are from those of the network it was made from; those of an int8 model may be far.
        quantized: if its weights and activations are int8, how the float model was quantised.
        versions: of Python and of the packages that made it.
    """

    schema_version: Literal[1] = 1
    format: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=32)
    tasks: tuple[TaskRecord, ...] = Field(min_length=1, max_length=MOST_TASKS)
    tree: dict[str, Any]
    input: InputRecord
    answers: bool = False
    cost: dict[str, int | float] = {}
    measured: Measurement | None = None
    verified: Verification | None = None
    quantized: Quantization | None = None
    versions: dict[str, str | None] = {}

    @model_validator(mode="after")
    def _tree_of_the_tasks(self) -> "Description":
        names = [task.name for task in self.tasks]
        if sorted(names) != sorted(self.branch_tree.tasks):
            raise ValueError(f"the tasks {', '.join(names)} are not the tree's, {', '.join(self.branch_tree.tasks)}")
        return self

    @property
    def branch_tree(self) -> BranchTree:
        return BranchTree.from_dict(self.tree)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(task.name for task in self.tasks)

    def with_input(self, **changes: Any) -> "Description":
        """The description with other fields of its input."""
        return self.model_copy(update={"input": self.input.model_copy(update=changes)})

    def to_json(self) -> str:
        return json.dumps(self.model_dump(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes, where: str) -> "Description":
        """The inverse of `to_json`; InputError, naming where it was, for anything else."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InputError(f"{where}: not the description of an exported network ({explain(error)})") from error
        except RecursionError:
            raise InputError(f"{where}: its description is nested too deeply") from None


def _missing_function(what: str) -> Any:
    def call(*_: Any) -> Any:
        raise InputError(f"{what} was a function of the recipe, and an exported network holds no code")

    return call
