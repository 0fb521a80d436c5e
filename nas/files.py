"""Reading and writing whole files: a reader never sees half of one, and a broken one is an InputError with its path.

A file is written under a temporary name in the same folder, flushed to the disk and renamed, so that after a
crash there is either the old content or the new one. Temporary names start with a dot and end in ``.tmp``.
"""

import contextlib
import errno
import json
import os
import re
import reprlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nas.errors import InputError, explain

if TYPE_CHECKING:
    from pydantic import BaseModel

Record = TypeVar("Record", bound="BaseModel")

MAX_BYTES = 64 * 2**20
"""What `read_json` reads at most; the records of this project are thousands of times smaller."""

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")

_WRONG_PATH = {
    errno.EEXIST,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}


def write_bytes_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Put ``data`` at ``path``, all of it or nothing; a file that is there is replaced.

    Raises:
        InputError: the folder does not exist or may not be written to, or ``path`` is a folder.
        OSError: the disk is full or failing.
    """
    path = Path(path)
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _flush_folder(path.parent)
    except OSError as error:
        if error.errno not in _WRONG_PATH:
            raise
        raise InputError(f"cannot write {path}: {error.strerror}; name a file in a folder you may write to") from error


def write_text_atomically(path: str | os.PathLike[str], text: str) -> None:
    """`write_bytes_atomically` for text, in UTF-8, with its line ends as they are."""
    write_bytes_atomically(path, text.encode())


def write_json_atomically(path: str | os.PathLike[str], record: Any) -> None:
    """`write_bytes_atomically` for plain data, as indented JSON.

    Raises:
        ValueError: the data has a NaN or an infinity, which JSON lacks.
    """
    write_text_atomically(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and those it lies in, unless it is there.

    Raises:
        InputError: a file is in its place, or it may not be made.
        OSError: the disk is full or failing.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno not in _WRONG_PATH:
            raise
        raise InputError(f"cannot make the folder {path}: {error.strerror}") from error


def read_record(path: str | os.PathLike[str], kind: type[Record], what: str = "") -> Record:
    """A file of strict JSON as a pydantic model.

    Args:
        what: what the file holds, for the message: "the result of a training".

    Raises:
        InputError: as `read_json`, or the data do not fit the model.
    """
    from pydantic import ValidationError

    record = read_json(path)
    try:
        return kind.model_validate(record)
    except ValidationError as error:
        raise InputError(f"{path}: not {what} ({explain(error)})" if what else f"{path}: {explain(error)}") from error


def read_json(path: str | os.PathLike[str]) -> Any:
    """Plain data from a file of strict JSON: UTF-8, no NaN or infinity, no field twice in one object.

    Raises:
        InputError: there is no such file, it cannot be read, is longer than `MAX_BYTES`, or is no strict JSON.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: longer than {MAX_BYTES // 2**20} MiB, so it is no record of this project")
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_constant)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: byte 0x{data[error.start]:02x} at offset {error.start}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise InputError(f"{path}: JSON nested too deeply") from None
    except ValueError:
        # Python refuses to parse integers of more than 4300 digits.
        raise InputError(f"{path}: holds an integer that is too long") from None


def remove_unfinished(folder: str | os.PathLike[str]) -> None:
    """Remove, below a folder that nobody else writes into, the temporary files that killed processes have left."""
    for path in Path(folder).rglob(".*.tmp"):
        if _TEMPORARY.fullmatch(path.name):
            with contextlib.suppress(OSError):
                path.unlink()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        seen: set[str] = set()
        doubled = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InputError(f"the field {reprlib.repr(doubled)} occurs twice in one object")
    return fields


def _no_constant(name: str) -> None:
    raise InputError(f"{name} is not a number that JSON has")


def _flush_folder(folder: Path) -> None:
    """Make a renaming in a folder outlast a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
