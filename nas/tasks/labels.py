"""The labels that losses and metrics accept, described by `Accepts` and stated with the decorator `accepts`.

All named losses and metrics state their labels; ``nas/data/README.md`` has a table. A recipe's own loss or metric
states its labels if it is decorated, or is a `functools.partial` of a decorated one. Otherwise its labels are not
checked, only the value that it returns.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from nas.errors import InputError
from nas.tasks.ignore import known_classes, known_depths, known_values, known_vectors

Function = TypeVar("Function", bound=Callable[..., Any])

_LENGTH_TOLERANCE = 0.1
"""How far the mean length of unit vectors may be from 1: resizing shortens some, storage as colours shortens all."""

_LAST_CLASS = "num_outputs - 1"


@dataclass(frozen=True)
class Accepts:
    """The labels that a loss or a metric accepts.

    The first four are words for messages and tables; the others are checked. (`nas.data.loader` turns uint16, uint32
    and uint64 into signed types before.)

    Args:
        types: the types of tensors.
        values: what an entry (pixel, attribute, number) of a label may hold.
        no_value: what marks an entry without a value.
        shape: the shape of one sample's label.
        known: function of (labels, number of outputs): where entries have a value.
        bounds: function of the number of outputs: the least and the largest value.
        decisions: whether values are classes, or yes and no; labels that are all alike then teach nothing.
        integers: whether floating-point types are refused.
        unit_length: whether values are vectors of length 1, over dimension 1.
        channels: the size of dimension 1, if it is fixed.
    """

    types: str
    values: str
    no_value: str
    shape: str
    known: Callable[[Tensor, int], Tensor]
    bounds: Callable[[int], tuple[float, float]] = lambda num_outputs: (-math.inf, math.inf)
    decisions: bool = False
    integers: bool = False
    unit_length: bool = False
    channels: int | None = None

    def known_values(self, labels: Tensor, num_outputs: int) -> Tensor:
        """The entries of labels [n, ...] that hold a value, as a vector."""
        known = self.known(labels, num_outputs)
        return labels.flatten() if known.all() else labels[known.expand_as(labels)]

    def fault(self, labels: Tensor, num_outputs: int, values: Tensor | None = None) -> tuple[int, str] | None:
        """The first row of labels [n, ...] that is not accepted, and why; None if all are accepted.

        Args:
            values: their `known_values`, if already computed.
        """
        if (unfit := self.unfit(labels)) is not None:
            return 0, unfit
        values = self.known_values(labels, num_outputs) if values is None else values
        if len(values) == 0:
            return None
        low, high = self.bounds(num_outputs)
        if not (low <= values.min() <= values.max() <= high and values.max() < math.inf and values.min() > -math.inf):
            known = self.known(labels, num_outputs)
            numbers = labels.double()
            wrong = known & ~((numbers >= low) & (numbers <= high) & numbers.isfinite())
            row = int(wrong.reshape(len(wrong), -1).any(1).int().argmax())
            found = f"{numbers[row][wrong[row]].flatten()[0].item():g}"
            if self.integers:
                return row, f"holds class {found}"
            return row, f"holds {found} (those of its batch reach from {values.min():g} to {values.max():g})"
        if self.unit_length:
            lengths = as_floats(labels).square().sum(1).sqrt()[self.known(labels, num_outputs).squeeze(1)]
            if (lengths - 1).abs().mean() > _LENGTH_TOLERANCE:
                return 0, f"holds vectors of length {lengths.mean().item():.3g} in the mean of its batch"
        return None

    def unfit(self, labels: Tensor) -> str | None:
        """What is wrong with the type or the shape of labels [n, ...]; None if both are fine."""
        if labels.is_complex() or (self.integers and labels.is_floating_point()):
            return f"is {labels.dtype}"
        if self.channels is not None and labels.shape[1:2] != (self.channels,):
            return f"has shape {list(labels.shape[1:])}"
        return None

    def describe(self, num_outputs: int) -> str:
        """The description in words, for a task with this number of outputs."""
        values = self.values.replace(_LAST_CLASS, str(num_outputs - 1))
        return f"{self.types}, {values}; {self.no_value} is no value"


CLASSES = Accepts(
    types="integer labels of any type",
    values=f"classes 0 to {_LAST_CLASS}",
    no_value="a negative number, or 255 unless it is a class",
    shape="none, or [H, W]: the outputs' without the channels",
    known=known_classes,
    bounds=lambda num_outputs: (0, num_outputs - 1),
    decisions=True,
    integers=True,
)
YES_OR_NO = Accepts(
    types="numbers or booleans",
    values="0 to 1; yes is 1",
    no_value="a negative number, NaN or 255",
    shape="the outputs'",
    known=lambda labels, _: known_classes(labels, num_classes=2),
    bounds=lambda _: (0, 1),
    decisions=True,
)
NUMBERS = Accepts(
    types="numbers or booleans",
    values="any finite number",
    no_value="NaN",
    shape="the outputs'; a number is [1]",
    known=lambda labels, _: known_values(labels),
)
SHARES = replace(NUMBERS, values="0 to 1", bounds=lambda _: (0, 1))
DEPTHS = Accepts(
    types="numbers",
    values="positive numbers",
    no_value="0, a negative number, infinity or NaN",
    shape="the outputs'",
    known=lambda labels, _: known_depths(labels),
)
DIRECTIONS = Accepts(
    types="numbers",
    values="vectors of any length",
    no_value="a vector of zeros, or one with NaN",
    shape="[3, ...], the outputs'",
    known=lambda labels, _: known_vectors(labels),
    channels=3,
)
UNIT_VECTORS = replace(
    DIRECTIONS,
    values="vectors of length 1",
    bounds=lambda _: (-1 - _LENGTH_TOLERANCE, 1 + _LENGTH_TOLERANCE),
    unit_length=True,
)


def accepts(description: Accepts) -> Callable[[Function], Function]:
    """State the labels that the decorated loss accepts, or the metric that the decorated function makes."""

    def state(function: Function) -> Function:
        function.accepts = description  # type: ignore[attr-defined]
        return function

    return state


def accepted_by(function: Any) -> Accepts | None:
    """The labels that a loss or metric has stated; None if it has not."""
    found = getattr(unwrapped(function), "accepts", None)
    return found if isinstance(found, Accepts) else None


def unwrapped(function: Any) -> Any:
    """The function within ``functools.partial(function, ...)``; any other function itself."""
    return unwrapped(function.func) if isinstance(function, functools.partial) else function


def require_shape_of_outputs(loss: str, outputs: Tensor, labels: Tensor) -> None:
    """InputError unless labels have the shape of the outputs; ``loss`` is the name of the loss, for the message."""
    if labels.shape != outputs.shape:
        hint = " (a single number a sample is a label of shape [1])" if labels.dim() == 1 else ""
        raise InputError(
            f"{loss} needs labels of the outputs' shape {list(outputs.shape)}; found {list(labels.shape)}{hint}"
        )


def as_floats(labels: Tensor) -> Tensor:
    """Labels in a floating-point type to calculate in: float32, unless they are float64."""
    return labels if labels.dtype == torch.float64 else labels.float()
