"""Changing fields of an experiment by dotted names, with validation."""

import json
import math
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from nas.errors import InputError, as_input_errors, explain, nearest
from nas.recipe.lazy import Lazy
from nas.tasks import Task

Model = TypeVar("Model", bound=BaseModel)


def parse_overrides(texts: Iterable[str]) -> dict[str, Any]:
    """``["strategy.epochs=5", "goal.budgets=[0.4,0.6]"]`` as names and values.

    A value is JSON if it reads as JSON and a plain string otherwise (``strategy=bmtas``).

    Raises:
        InputError: there is no name or no ``=``, or a number is not finite or too long.
    """
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--set {reprlib.repr(text)}: expected FIELD=VALUE, for instance strategy.epochs=5")
        try:
            changes[name.strip()] = json.loads(value, parse_int=_integer, parse_float=_finite, parse_constant=_finite)
        except _NumberError as error:
            raise InputError(f"--set {name.strip()!r}: {error}") from None
        except (json.JSONDecodeError, RecursionError):
            changes[name.strip()] = value.strip()
    return changes


class _NumberError(Exception):
    """A number that is not finite, or has too many digits."""


def _integer(text: str) -> int:
    if len(text) > 19 or abs(int(text)) >= 2**63:
        raise _NumberError(f"{reprlib.repr(text)[1:-1]} is too large a number")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NumberError(f"a number must be finite; found {reprlib.repr(text)[1:-1]}")
    return number


def apply_changes(experiment: Model, changes: Mapping[str, Any]) -> Model:
    """The experiment with all changes applied at once; see `Experiment.with_fields`.

    Fields are validated after all changes, so the order of two changes that need each other does not matter. A section
    that is replaced (``strategy=bmtas``) is replaced before its fields are changed.
    """
    if not changes:
        return experiment
    changed: Model = _changed(experiment, [(name.split("."), value) for name, value in changes.items()], "")
    return changed


_Change = tuple[list[str], Any]
"""The path below an owner, and the new value."""


def _changed(owner: Any, changes: list[_Change], place: str) -> Any:
    """A copy of `owner` (the object at the dotted name `place`) with the changes below it."""
    by_field: dict[str, list[_Change]] = {}
    for (head, *rest), value in changes:
        by_field.setdefault(head, []).append((rest, value))
    values: dict[str, Any] = {}
    # Sections that are replaced and then changed come last, since they are validated together with the other fields.
    for head, below in sorted(by_field.items(), key=lambda item: len({not rest for rest, _ in item[1]})):
        values[head] = _new_value(owner, head, below, place, values)
    return _with(owner, values, place)


def _new_value(owner: Any, head: str, changes: list[_Change], place: str, others: Mapping[str, Any]) -> Any:
    known = _fields(owner)
    name = f"{place}.{head}" if place else head
    if known is None:
        raise InputError(f"{name!r}: {place!r} has no fields that can be set")
    # `Lazy.with_argument` checks the name, since arguments may have defaults that the recipe does not state.
    if head not in known and not isinstance(owner, Lazy):
        raise InputError(_no_field(owner, place, [(head, *rest) for rest, _ in changes], known))
    current = known.get(head)
    for rest, value in changes:
        if not rest:
            current = value
    deeper = [change for change in changes if change[0]]
    if not deeper:
        return current
    if any(not rest for rest, _ in changes):
        current = (_fields(_with(owner, {**others, head: current}, place)) or {})[head]
    return _changed(current, deeper, name)


def _no_field(owner: Any, place: str, paths: Sequence[Sequence[str]], known: Iterable[str]) -> str:
    """The message about a name that `owner` has no field for; fields of its fields may be meant, too."""
    prefix = f"{place}." if place else ""
    wrong = ".".join(paths[0])
    meant = " or ".join(repr(prefix + name) for name in nearest(wrong, _dotted_names(owner)))
    return (
        f"{prefix + paths[0][0]!r}: there is no field {paths[0][0]!r}; "
        f"{f'did you mean {meant}? ' if meant else ''}known are {', '.join(known)}"
    )


def _dotted_names(owner: Any) -> Iterator[str]:
    for name, value in (_fields(owner) or {}).items():
        yield name
        yield from (f"{name}.{below}" for below in _dotted_names(value))


def _fields(owner: Any) -> dict[str, Any] | None:
    """The fields of an owner that can be set, by name; None if it has no fields."""
    if isinstance(owner, Lazy):
        return dict(owner.args)
    if is_dataclass(owner) and not isinstance(owner, type):
        return {field.name: getattr(owner, field.name) for field in fields(owner) if field.init}
    if isinstance(owner, BaseModel):
        return {name: getattr(owner, name) for name in type(owner).model_fields}
    if isinstance(owner, tuple) and owner and isinstance(owner[0], Task):
        return {task.name: task for task in owner}
    return None


def _with(owner: Any, values: Mapping[str, Any], place: str) -> Any:
    if isinstance(owner, Lazy):
        for name, value in values.items():
            owner = owner.with_argument(name, value)
        return owner
    if isinstance(owner, tuple):
        return tuple(values.get(task.name, task) for task in owner)
    if not isinstance(owner, BaseModel):
        # A user's own object validates its fields itself.
        with as_input_errors(place):
            return replace(owner, **values)
    try:
        return type(owner).model_validate({**(_fields(owner) or {}), **values})
    except ValidationError as error:
        raise InputError(explain(error, place)) from error
