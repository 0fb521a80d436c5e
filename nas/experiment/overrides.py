"""Changing fields of an experiment by dotted names, with validation."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from nas.errors import InputError
from nas.experiment.experiment import Experiment
from nas.experiment.lazy import Lazy
from nas.tasks import Task


def parse_overrides(texts: Iterable[str]) -> dict[str, Any]:
    """``["search.epochs=5", "search.budgets=[0.4,0.6]"]`` as names and values.

    A value is JSON if it reads as JSON and a plain string otherwise (``search=bmtas``).
    """
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--set {text!r}: expected FIELD=VALUE, for instance search.epochs=5")
        try:
            changes[name.strip()] = json.loads(value)
        except (json.JSONDecodeError, RecursionError):
            changes[name.strip()] = value.strip()
    return changes


def apply_changes(experiment: Experiment, changes: Mapping[str, Any]) -> Experiment:
    """The experiment with every change applied in turn; see `Experiment.with_fields`."""
    for name, value in changes.items():
        try:
            experiment = _changed(experiment, name.split("."), value, name)
        except ValidationError as error:
            raise InputError(f"{name}={value!r}: {explain(error)}") from error
    return experiment


def explain(error: ValidationError) -> str:
    """A validation error in one line: each field, what is wrong, and the value found."""
    parts = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        found = "" if item["type"] in ("value_error", "missing") else f" (found {str(item['input'])[:60]})"
        parts.append(f"{field}: {message}{found}" if field else message)
    return " ".join("; ".join(parts).split())


def _changed(owner: Any, path: list[str], value: Any, name: str) -> Any:
    head, *rest = path
    if isinstance(owner, Lazy):
        current, known = owner.args.get(head), None
    elif isinstance(owner, BaseModel):
        known = list(type(owner).model_fields)
        current = getattr(owner, head) if head in known else None
    elif isinstance(owner, tuple) and owner and isinstance(owner[0], Task):
        known = [task.name for task in owner]
        current = owner[known.index(head)] if head in known else None
    else:
        raise InputError(f"--set {name}: there is nothing below {head!r} to set")
    if known is not None and head not in known:
        raise InputError(f"--set {name}: there is no field {head!r}; known are {', '.join(known)}")
    new = _changed(current, rest, value, name) if rest else value
    if isinstance(owner, Lazy):
        return owner.with_argument(head, new)
    if isinstance(owner, tuple):
        return tuple(new if task.name == head else task for task in owner)
    fields = {field: getattr(owner, field) for field in type(owner).model_fields}
    return type(owner).model_validate({**fields, head: new})
