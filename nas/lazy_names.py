"""Packages whose names are imported when they are first used, so that reading a run does not wait for torch (PEP 562).

A package states its names once, as ordinary imports that only type checkers follow:

    if TYPE_CHECKING:
        from nas.cost.budget import resolve_budget as resolve_budget
    else:
        __getattr__, __dir__ = on_first_use(__name__)

A name that is also that of a module of the package is imported as usual, outside of the block: once the module is
loaded, the package's attribute is the module, so `__getattr__` is not called for the name.
"""

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def on_first_use(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package: they import what its ``if TYPE_CHECKING:`` block names."""
    module = sys.modules[package]
    homes = homes_of(Path(str(module.__file__)))

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(homes[name][0]), homes[name][1])
        setattr(module, name, value)
        return value

    return get, lambda: sorted({*vars(module), *homes})


def homes_of(file: Path) -> dict[str, tuple[str, str]]:
    """By name, the module that has it, and its name there."""
    statements = ast.parse(file.read_bytes()).body
    blocks = [one.body for one in statements if isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING"]
    return {
        alias.asname or alias.name: (str(one.module), alias.name)
        for body in blocks
        for one in body
        if isinstance(one, ast.ImportFrom)
        for alias in one.names
    }
