"""The pages of the public names, one for each room: `nas` itself, a package of it, or `search_spaces`."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import nas
from nas.lazy_names import homes_of

_HIDDEN = {"nas.cli", "nas.commands"}
"""Rooms whose names are those of `nas`, or of the command line."""
_MODULES = {"nas.datasets": "nas.datasets", "search_spaces": "search_spaces"}
"""Rooms whose modules are public, too."""


def rooms() -> Sequence[str]:
    """The names of the rooms, from the smallest package that knows no other one to the commands."""
    inside = [f"nas.{one.name}" for one in pkgutil.iter_modules(nas.__path__) if one.ispkg]
    return ["nas", *(name for name in inside if name not in _HIDDEN and any(_public(name))), "search_spaces"]


def room_page(room: str) -> str:
    """A page for MkDocs, which looks each name up in the code."""
    packages = [("nas", sorted(homes_of(Path(str(nas.__file__)))))] if room == "nas" else list(_public(room))
    parts = [] if packages[0][0] == room else [f"# {room}"]
    for name, members in packages:
        level = 1 if name == room else 2
        listed = "".join(f"\n        - {member}" for member in members)
        parts.append(f"::: {name}\n    options:\n      heading_level: {level}\n      members:{listed}")
    return "\n\n".join(parts) + "\n"


def _public(room: str) -> Iterator[tuple[str, Sequence[str]]]:
    """The packages of a room with their public names."""
    package = importlib.import_module(room)
    if hasattr(package, "__all__"):
        yield room, package.__all__
    for one in pkgutil.iter_modules(package.__path__, f"{room}."):
        if one.ispkg:
            yield from _public(one.name)
        elif room in _MODULES and (own := _own_names(importlib.import_module(one.name))):
            yield one.name, own


def _own_names(module: ModuleType) -> Sequence[str]:
    """The classes and functions that a module defines."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    ]
