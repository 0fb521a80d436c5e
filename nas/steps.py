"""Steps of work that takes seconds and has no epochs: samples that are read, calls that are timed.

The code that does the work counts its steps. A display of progress can listen; without one, counting does nothing.

>>> with listening(lambda what, done, total: print(f"{what}: {done} of {total}")):
...     letters = list(counted("ab", "letters", 2))
letters: 0 of 2
letters: 1 of 2
letters: 2 of 2
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")

Listener = Callable[[str, int, int], None]
"""Gets what is counted, in a few words, how many steps are done, and how many there are."""

_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell a listener every step that is counted while the block runs."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def counted(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    """The items. Each is a step, which is done when the next item is requested."""
    tell = _LISTENER.get() or _ignore
    tell(what, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        tell(what, done, total)


def _ignore(what: str, done: int, total: int) -> None:
    """What happens without a listener."""
