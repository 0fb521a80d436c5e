"""Losses and metrics of a network; some of them may have no value."""

import math
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer


def _from_file(value: object) -> object:
    return math.nan if value is None else value


def _to_file(value: float) -> float | None:
    return value if math.isfinite(value) else None


Value = Annotated[float, BeforeValidator(_from_file), PlainSerializer(_to_file)]
"""A number, or NaN for "no value" (no labels to compute it from). NaN is null in JSON and "no value" in tables."""

Measured = dict[str, dict[str, Value]]
"""By task, the value of "loss" and of each metric."""
