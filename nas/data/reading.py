"""Reading one file of a data set; whatever is wrong with it is told in one line that names it.

No file stays open: what is returned lies in memory, so a data set may be used by any number of worker processes.
"""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from nas.errors import InputError

Array = npt.NDArray[Any]

# What PIL, scipy and numpy raise on files that are cut off or overwritten.
_DAMAGED = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def require_folder(path: Path, what: str) -> Path:
    """The folder; InputError if there is none."""
    if not path.is_dir():
        found = "is a file, not a folder" if path.exists() else "no such folder"
        raise InputError(f"{path}: {found}; it has to be {what}")
    return path


def read_ids(path: Path) -> tuple[str, ...]:
    """The names that a split file lists, one a line; blank lines and spaces around names do not count.

    Raises:
        InputError: there is no such file, it is no UTF-8 text, lists nothing, a name twice, or a name with a slash.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; it has to list the ids of a split, one a line") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: line {number} is not UTF-8 text; save the file as UTF-8") from None
    first_lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name = line.strip()
        if not name:
            continue
        if any(letter in name for letter in "/\\\0"):
            raise InputError(f"{path}: line {number}: {name!r} is no id, which is a file's name without its ending")
        if name in first_lines:
            raise InputError(f"{path}: lists {name!r} twice, in lines {first_lines[name]} and {number}; remove one")
        first_lines[name] = number
    if not first_lines:
        raise InputError(f"{path}: lists no ids; each line has to name one")
    return tuple(first_lines)


def read_picture(path: Path) -> Image.Image:
    """A picture, decoded."""
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture
    except _DAMAGED as error:
        raise _unreadable(path, "picture", error) from error


def read_mat(path: Path, key: str) -> Array:
    """One variable of a MATLAB file (up to version 7.2)."""
    # Half a second to import, which only those who use such files should pay.
    from scipy.io import loadmat

    try:
        variables = loadmat(path, appendmat=False)
    except _DAMAGED as error:
        raise _unreadable(path, "MATLAB file", error) from error
    if key not in variables:
        found = ", ".join(sorted(name for name in variables if not name.startswith("__"))) or "nothing"
        raise InputError(f"{path}: has no variable {key!r}; it holds {found}")
    return np.asarray(variables[key])


def read_npy(path: Path) -> Array:
    """An array of numbers; one of Python objects is refused, for reading it would run code."""
    try:
        array = np.load(path, allow_pickle=False)
    except _DAMAGED as error:
        raise _unreadable(path, "npy file", error) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"{path}: is an archive of arrays (npz); one array (npy) is needed")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path}: holds {array.dtype}, not numbers")
    return array


def _unreadable(path: Path, kind: str, error: BaseException) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path}: no such file")
    if isinstance(error, OSError) and error.strerror:
        return InputError(f"{path}: cannot be read: {error.strerror}")
    reason = " ".join(str(error).replace(f"{str(path)!r}", "it").split()) or type(error).__name__
    return InputError(f"{path}: damaged, or no {kind} ({reason}); put an undamaged copy in its place")
