"""The record of an experiment: plain fields, objects as ``{"type": ..., "args": ...}``. Reading it runs nothing."""

import functools
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nas.recipe.lazy import Lazy, qualified_name
from nas.strategies import Strategy


def describe(value: Any) -> Any:
    """Any field of an experiment as JSON data."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has neither NaN nor infinity
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Strategy):
        return {"type": qualified_name(value), "args": _args(value)}
    if isinstance(value, BaseModel):
        return _args(value)
    if isinstance(value, Lazy):
        return {"type": value.name, "args": describe(value.args)}
    if isinstance(value, functools.partial):
        args = {str(i): arg for i, arg in enumerate(value.args)} | value.keywords
        return {"type": qualified_name(value.func), "args": describe(args)}
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(describe(item) for item in value)
    return {"type": qualified_name(value), "args": {}}


def _args(value: Any) -> dict[str, Any]:
    """The fields of a pydantic model or a dataclass; none for other objects."""
    if isinstance(value, BaseModel):
        names = list(type(value).model_fields)
    else:
        names = [field.name for field in fields(value)] if is_dataclass(value) else []
    return {name: describe(getattr(value, name)) for name in names}
