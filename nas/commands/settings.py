"""`nas settings`: every field of a recipe, with its default, its meaning, and the strategies that read it."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

from pydantic.fields import FieldInfo

from nas.errors import InputError, no_such
from nas.fields import Settings
from nas.recipe import Experiment, describe
from nas.strategies import STRATEGIES

_ENTRY = re.compile(r"    ([a-z_]\w*(?:, [a-z_]\w*)*): (.*)")
"""An argument, or several of one meaning, in the section ``Args:`` of a docstring."""


@dataclass(frozen=True)
class Setting:
    """A field of a recipe.

    Args:
        name: as ``--set`` takes it; NAME stands for the name of a task.
        required: whether it has no default.
        default: as plain data.
        meaning: what the docstring of its class says about it.
        strategies: the names of the strategies that read it; empty for a field that does not depend on the strategy.
    """

    name: str
    required: bool
    default: Any
    meaning: str
    strategies: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def settings(strategy: str | None = None) -> list[Setting]:
    """All settings of a recipe, or those of one strategy.

    Fields that several strategies read with one default and one meaning are one setting.

    Args:
        strategy: a name of `nas.strategies.STRATEGIES`.

    Raises:
        InputError: there is no such strategy.
    """
    if strategy is not None:
        if strategy not in STRATEGIES:
            raise InputError(no_such("strategy", strategy, STRATEGIES))
        return list(_of_strategy(strategy))
    found = list(_fields_of(Experiment, ""))
    place = 1 + [one.name for one in found].index("strategy")
    return [*found[:place], *_merged(), *found[place:]]


def _merged() -> list[Setting]:
    """The settings of all strategies, field by field."""
    merged: dict[tuple[str, str, str], Setting] = {}
    for name in STRATEGIES:
        for one in _of_strategy(name):
            key = one.name, repr(one.default), one.meaning
            before = merged.get(key, replace(one, strategies=()))
            merged[key] = replace(before, strategies=(*before.strategies, name))
    order = list(dict.fromkeys(one.name for one in merged.values()))
    return sorted(merged.values(), key=lambda one: order.index(one.name))


def _of_strategy(name: str) -> Iterator[Setting]:
    made: Any = STRATEGIES[name]()
    return (replace(one, strategies=(name,)) for one in _fields_of(made, "strategy."))


def _fields_of(owner: Settings | type[Settings], prefix: str) -> Iterator[Setting]:
    """The settings of a model or of its class, each before those inside it."""
    kind = owner if isinstance(owner, type) else type(owner)
    meanings = _meanings(kind)
    for name, field in kind.model_fields.items():
        value = getattr(owner, name) if isinstance(owner, Settings) else field.get_default(call_default_factory=True)
        required = not isinstance(owner, Settings) and field.is_required()
        named = next((known for known, make in STRATEGIES.items() if make is type(value)), None)
        yield Setting(f"{prefix}{name}", required, named or (None if required else describe(value)), meanings[name])
        if named is None and (inside := _inside(value, field)) is not None:
            yield from _fields_of(inside, f"{prefix}{name}.{'NAME.' if isinstance(inside, type) else ''}")


def _inside(value: Any, field: FieldInfo) -> Settings | type[Settings] | None:
    """The model whose fields are below a field: its default, or the class of the models in a list, such as tasks."""
    if isinstance(value, Settings):
        return value
    inner = get_args(field.annotation)[:1]
    return inner[0] if value == () and inner and isinstance(inner[0], type) and issubclass(inner[0], Settings) else None


def _meanings(kind: type) -> dict[str, str]:
    """By field, what the docstring of the class, or of the class that it inherits the field from, says about it."""
    found: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        _, _, section = inspect.cleandoc(vars(owner).get("__doc__") or "").partition("\nArgs:\n")
        names: list[str] = []
        for line in section.splitlines():
            if entry := _ENTRY.fullmatch(line):
                names = entry[1].split(", ")
                found |= dict.fromkeys(names, entry[2].replace("`", ""))
            elif line.startswith("        "):
                found |= {name: f"{found[name]} {line.strip().replace('`', '')}" for name in names}
            elif line:
                break
    return found
