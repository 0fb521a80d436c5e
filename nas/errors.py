"""The exceptions of this project: the user can fix the cause of an `InputError`; a `WorkFailed` says that a run failed.

The commands print either in one line, without a traceback, and end with exit status 2 or 1.
"""

import difflib
import errno
import reprlib
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class InputError(ValueError):
    """Bad input: a recipe, a file, a folder, a setting.

    The message is one line that says what is wrong, where, and what to do. The commands print it and end
    with exit status 2, without a traceback. A bug of this project is an ``assert``, never an `InputError`.
    """


class WorkFailed(RuntimeError):
    """The run failed for a reason that checking the input could not show: exit status 1.

    The last checkpoint holds the work so far.
    """


class StorageFailed(WorkFailed):
    """The storage could not be read or written; another attempt may succeed."""


@contextmanager
def as_input_errors(part: str) -> Iterator[None]:
    """Turn any error of a recipe's own code into an InputError of one line: the part, the error, its file and line.

    `InputError`, `WorkFailed` and failures of the machine (`machine_failure`) pass unchanged.

    Args:
        part: what the block runs, such as "data"; the message begins with it.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        if isinstance(error, InputError | WorkFailed) or machine_failure(error) is not None:
            raise
        raise InputError(f"{part}: {in_one_line(error)}{_place(error)}") from error


def machine_failure(error: BaseException) -> str | None:
    """A failure of the machine (memory, disk, processes) in one line; None if the error has another cause.

    torch has no common class for such errors, so they are recognised by their messages.
    """
    text = str(error)
    if _is_of_shared_memory(error):
        return (
            f"{SHARED_MEMORY} is full; processes that load samples pass batches through it. Lower num_workers "
            "(0 does not use it) or the batch_size, or make it larger (docker run --shm-size=8g)"
        )
    if isinstance(error, MemoryError) or any(words in text for words in ("out of memory", "allocate memory")):
        settings = "strategy.batch_size, retrain.batch_size, the batch_size of predict"
        return f"out of memory; lower the batch size ({settings}), or use a larger machine"
    if isinstance(error, RuntimeError) and text.startswith("DataLoader worker (pid"):
        return "a process that loads samples was killed, perhaps because memory or /dev/shm was full; lower num_workers"
    if isinstance(error, RuntimeError) and ("Too many open files" in text or "items of ancdata" in text):
        return "too many open files; lower num_workers, or allow more (ulimit -n)"
    if isinstance(error, OSError) and error.errno in _FAILED:
        where = f"{error.filename}: " if error.filename is not None else ""
        return f"{where}{error.strerror}"
    return None


SHARED_MEMORY = "/dev/shm"


def _is_of_shared_memory(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOSPC and error.filename == SHARED_MEMORY
    # torch's messages: it could not allocate, or the system killed a worker because of that.
    return isinstance(error, RuntimeError) and any(text in str(error) for text in ("shared memory(shm)", "Bus error"))


_FAILED = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}


def no_such(kind: str, name: object, known: Iterable[str]) -> str:
    """What every message about a wrong name says: there is none, which one may be meant, and which there are.

    >>> no_such("strategy", "simlarity", ["similarity", "gradient"])
    "there is no strategy 'simlarity'; did you mean 'similarity'? known are similarity, gradient"
    """
    names = list(known)
    meant = " or ".join(map(repr, nearest(str(name), names)))
    return f"there is no {kind} {brief(name)}; " + (f"did you mean {meant}? " if meant else "") + _known(names)


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names that `name` may stand for: that with the nearest spelling, or those whose last part it is.

    >>> nearest("stratgy.epochs", ["strategy.epochs", "retrain.epochs"])
    ['strategy.epochs']
    >>> nearest("epoch", ["strategy.epochs", "retrain.epochs", "seed"])
    ['strategy.epochs', 'retrain.epochs']
    """
    names = list(known)
    if alike := difflib.get_close_matches(name, names, n=1, cutoff=0.75):
        return alike
    parts = {one: one.rpartition(".")[2] for one in names if "." in one and "." not in name}
    last = difflib.get_close_matches(name, set(parts.values()), n=1, cutoff=0.75)
    ends = [one for one, part in parts.items() if part in last]
    fewest = min((one.count(".") for one in ends), default=0)
    return [one for one in ends if one.count(".") == fewest][:3]


def _known(names: list[str]) -> str:
    return f"known are {', '.join(names)}" if names else "none is known"


def brief(value: object) -> str:
    """A value from a file, shortened to about a hundred characters for an error message."""
    return _BRIEF.repr(value)


_BRIEF = reprlib.Repr()
_BRIEF.maxlevel = 2
_BRIEF.maxdict, _BRIEF.maxlist = 3, 4


def in_one_line(error: BaseException) -> str:
    """``KeyError: 'depth'``: the class of an error and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def explain(error: "ValidationError", place: str = "") -> str:
    """A validation error in one line: for each field its dotted name, what is wrong, and the value found.

    Args:
        place: dotted name of the validated object; it precedes the fields' names.
    """
    parts = []
    for item in error.errors():
        field = ".".join(str(part) for part in (place, *item["loc"]) if part != "")
        message = item["msg"].removeprefix("Value error, ")
        found = "" if item["type"] in ("value_error", "missing") else f" (found {reprlib.repr(item['input'])})"
        parts.append(f"{field}: {message}{found}" if field else message)
    return " ".join("; ".join(parts).split())


def _place(error: BaseException) -> str:
    """`` (file.py:12)``: the line nearest to the error, outside of `nas` and installed libraries; or nothing."""
    ours = str(Path(__file__).parent)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(ours) and "site-packages" not in frame.filename]
    return f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
