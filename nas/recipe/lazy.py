"""Lazy objects: a class or function with its arguments, which is called only when the object is needed."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.errors import InputError, no_such


@dataclass(frozen=True, eq=False)
class Lazy:
    """A class or function with the keyword arguments it will be called with.

    A recipe does no I/O. Its data and its backbone are lazy, so that costs can be measured without the data, and the
    record of a run can name both.

        >>> Lazy(dict, {"a": 1})()
        {'a': 1}
    """

    target: Callable[..., Any]
    args: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self) -> Any:
        """Build the object."""
        return self.target(**self.args)

    def with_argument(self, name: str, value: Any) -> "Lazy":
        """A copy with one argument changed; InputError if the target has no such argument."""
        try:
            known = inspect.signature(self.target).parameters
        except ValueError:  # some of Python's built-in types have no signature
            return Lazy(self.target, {**self.args, name: value})
        if name not in known and not any(p.kind is p.VAR_KEYWORD for p in known.values()):
            raise InputError(f"{self.name}: {no_such('argument', name, known)}")
        return Lazy(self.target, {**self.args, name: value})

    @property
    def name(self) -> str:
        return qualified_name(self.target)


def lazy(target: Callable[..., Any], **args: Any) -> Lazy:
    """A lazy object: ``lazy(DigitPairs, num_train=4096)``."""
    return Lazy(target, args)


def qualified_name(value: Any) -> str:
    """``module.name`` of a class or function; for other objects, that of their class."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"
