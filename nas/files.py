"""Reading and writing whole files: a reader never sees half a file, and a broken file is an InputError with its path.

A file is written under a temporary name in the same folder, flushed to the disk and renamed, so that after a
crash there is either the old content or the new one. Temporary names start with a dot and end in ``.tmp``. They are
derived from the final name, so the next attempt finds and removes what a killed process left.
"""

import contextlib
import errno
import fcntl
import filecmp
import hashlib
import json
import math
import os
import re
import reprlib
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from nas.errors import InputError, explain

if TYPE_CHECKING:
    from pydantic import BaseModel

Record = TypeVar("Record", bound="BaseModel")

MAX_BYTES = 64 * 2**20
"""The longest file that `read_json` accepts by default; records of this project are thousands of times smaller."""

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")

_WRONG_PATH = {
    errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS,
    errno.ENAMETOOLONG, errno.ENOTEMPTY, errno.ELOOP,
}  # fmt: skip


def write_bytes_atomically(
    path: str | os.PathLike[str], data: bytes, *, verify: Callable[[Path], None] = lambda _: None
) -> None:
    """Write ``data`` to ``path``, completely or not at all; an existing file is replaced.

    Args:
        verify: called with the temporary file of the data before it is renamed; it raises if they are wrong.

    Raises:
        InputError: the folder does not exist or may not be written to, or ``path`` is a folder.
        OSError: the disk is full or failing.
    """
    remedy = "; name a file in a folder you may write to"
    with _wrong_path(f"cannot write {path}", remedy), replacing(Path(path)) as (file, hidden):
        file.write(data)
        file.flush()
        verify(hidden)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new temporary file that is renamed to ``path`` when the block ends; after an error it is removed instead.

    Yields:
        the open file, and its temporary path.

    Raises:
        OSError: the file cannot be made or renamed.
    """
    temporary, descriptor = _temporary_place(path, _make_file)
    with os.fdopen(descriptor, "wb") as file:
        try:
            yield file, temporary
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    _flush_folder(path.parent)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that is renamed to ``path`` when the block ends; after an error it is removed instead.

    An existing folder at ``path`` stays if it has the same files, and is replaced if it is empty.

    Raises:
        InputError: a file or another folder is at ``path``, or its parent folder may not be written to.
        OSError: the disk is full or failing.
    """
    # If the path is a link, the folder is made at its target.
    target = Path(os.path.realpath(path))
    with _wrong_path(f"cannot make the folder {path}"):
        temporary, descriptor = _temporary_place(target, _make_folder)
    try:
        yield temporary
        _flush_folder(temporary)
        with _wrong_path(f"cannot make the folder {path}", "; name a new or empty folder"):
            if target.is_dir() and _same_files(temporary, target):
                shutil.rmtree(temporary)
            else:
                os.rename(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)
    _flush_folder(target.parent)


def write_text_atomically(path: str | os.PathLike[str], text: str) -> None:
    """`write_bytes_atomically` for text, in UTF-8 with unchanged line ends."""
    write_bytes_atomically(path, text.encode())


def without_nan(value: Any) -> Any:
    """Plain data with None (null) instead of every NaN and infinity, which JSON lacks."""
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json_atomically(path: str | os.PathLike[str], record: Any) -> None:
    """`write_bytes_atomically` for plain data, as indented JSON.

    Raises:
        ValueError: the data has a NaN or an infinity, which JSON lacks.
    """
    write_text_atomically(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and its parents, unless it exists.

    Raises:
        InputError: a file is in its place, or making it is not permitted.
        OSError: the disk is full or failing.
    """
    with _wrong_path(f"cannot make the folder {path}"):
        Path(path).mkdir(parents=True, exist_ok=True)


def require_writable(folder: str | os.PathLike[str]) -> None:
    """Make a folder unless it exists, and check that files can be made in it.

    Raises:
        InputError: writing to it is not permitted.
        OSError: the disk is full or failing.
    """
    make_folder(folder)
    probe = Path(folder) / f".{secrets.token_hex(8)}.tmp"
    try:
        probe.touch(exist_ok=False)
        # The process that holds the folder's lock may have removed the file as abandoned.
        probe.unlink(missing_ok=True)
    except OSError as error:
        if error.errno not in _WRONG_PATH:
            raise
        raise InputError(
            f"{folder}: may not be written to ({error.strerror}); a read-only run can be shown and evaluated; "
            "for other commands copy it, or ask its owner for access"
        ) from error


def read_record(path: str | os.PathLike[str], kind: type[Record], what: str = "") -> Record:
    """Read a file of strict JSON into a pydantic model.

    Args:
        what: what the file should hold, for the message, such as "the result of a training".

    Raises:
        InputError: `read_json` refuses the file, or its data do not fit the model.
    """
    from pydantic import ValidationError

    # As text again, because a strict model accepts lists for tuples only there.
    text = json.dumps(read_json(path))
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"{path}: not {what} ({explain(error)})" if what else f"{path}: {explain(error)}") from error


def read_json(path: str | os.PathLike[str], *, max_bytes: int | None = None) -> Any:
    """Read plain data from a file of strict JSON: UTF-8, no NaN or infinity, no field twice in one object.

    Raises:
        InputError: the file is missing, cannot be read, is longer than ``max_bytes`` (`MAX_BYTES` by default), or is
            not strict JSON.
    """
    max_bytes = MAX_BYTES if max_bytes is None else max_bytes
    try:
        with open(path, "rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise InputError(f"{path}: longer than {max_bytes // 2**20} MiB, the most that is read of such a file")
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


def is_temporary(name: str) -> bool:
    """Whether a name is one of those that files and folders have until they are complete."""
    return _TEMPORARY.fullmatch(name) is not None


def remove_unfinished(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files and folders that killed processes left below a folder."""
    for path in Path(folder).rglob(".*.tmp"):
        if is_temporary(path.name):
            _remove_abandoned(path, without_locks=True)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        seen: set[str] = set()
        doubled = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InputError(f"the field {reprlib.repr(doubled)} occurs twice in one object")
    return fields


def _no_constant(name: str) -> None:
    raise InputError(f"{name} is not allowed in JSON")


def _temporary_place(path: Path, make: Callable[[Path], int]) -> tuple[Path, int]:
    """A new temporary file or folder beside ``path``, and its descriptor, whose lock keeps others from removing it.

    The temporary name is derived from ``path``. It is random while another process writes to the same path, and
    where the file system has no locks.
    """
    place = path.parent / f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.tmp"
    if _remove_abandoned(place):
        with contextlib.suppress(FileExistsError):
            descriptor = make(place)
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Before it was locked, another process may have removed it as abandoned.
                if os.path.samestat(os.fstat(descriptor), os.lstat(place)):
                    return place, descriptor
            os.close(descriptor)
    place = path.parent / f".{secrets.token_hex(8)}.tmp"
    descriptor = make(place)
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return place, descriptor


def _make_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)


def _make_folder(path: Path) -> int:
    path.mkdir()
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def _remove_abandoned(place: Path, *, without_locks: bool = False) -> bool:
    """Remove the temporary file or folder of a process that has ended.

    Args:
        without_locks: also remove it where the file system has no locks, which tell whether its writer is alive.

    Returns:
        whether the name is free now.
    """
    try:
        is_folder = stat.S_ISDIR(place.lstat().st_mode)
        # A lock through NFS needs a descriptor that may write.
        flags = os.O_RDONLY if is_folder else os.O_RDWR
        descriptor = os.open(place, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            except OSError:
                if not without_locks:
                    return False
            shutil.rmtree(place) if is_folder else place.unlink()
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _same_files(one: Path, other: Path) -> bool:
    """Whether two folders, neither with a folder in it, have the same files."""
    names = [sorted(entry.name for entry in folder.iterdir()) for folder in (one, other)]
    return names[0] == names[1] and filecmp.cmpfiles(one, other, names[0], shallow=False)[0] == names[0]


@contextlib.contextmanager
def _wrong_path(problem: str, remedy: str = "") -> Iterator[None]:
    """Turn an error of the path into an `InputError`; errors of the disk pass unchanged."""
    try:
        yield
    except OSError as error:
        if error.errno not in _WRONG_PATH:
            raise
        raise InputError(f"{problem}: {error.strerror}{remedy}") from error


def _flush_folder(folder: Path) -> None:
    """Make a renaming in a folder survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
