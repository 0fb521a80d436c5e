"""Losses and metrics of a network, of which some may have no value."""

import math
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer


def _from_file(value: object) -> object:
    return math.nan if value is None else value


def _to_file(value: float) -> float | None:
    return value if math.isfinite(value) else None


Value = Annotated[float, BeforeValidator(_from_file), PlainSerializer(_to_file)]
"""A number, or NaN for "no value": there was nothing to measure. JSON has null for it, a table says "no value"."""

Measured = dict[str, dict[str, Value]]
"""By task: "loss" and its metrics by name."""
