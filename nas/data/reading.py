"""Reading one file of a data set; whatever is wrong with it is told in one line that names it.

No file stays open: what is returned lies in memory, so a data set may be used by any number of worker processes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from nas.data.pictures import open_picture
from nas.errors import InputError

Array = npt.NDArray[Any]
Decoded = TypeVar("Decoded")


def require_folder(path: Path, what: str) -> Path:
    """The folder; InputError if there is none."""
    if not path.is_dir():
        found = "is a file, not a folder" if path.exists() else "no such folder"
        raise InputError(f"{path}: {found}; it has to be {what}")
    return path


def list_arrays(folder: Path) -> set[str]:
    """The names, without the ending, of a folder's npy files.

    Hidden files are passed over: macOS puts a ``._0.npy`` beside a ``0.npy``, which holds no array.
    """
    return {path.stem for path in folder.glob("*.npy") if not path.name.startswith(".")}


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
    """A picture, decoded (`nas.data.pictures.open_picture`)."""
    return _decoded(path, "picture", open_picture)


def read_mat(path: Path, key: str) -> Array:
    """One variable of a MATLAB file (up to version 7.2)."""
    # Half a second to import, which only those who use such files should pay.
    from scipy.io import loadmat

    # scipy's stubs know paths only.
    variables = _decoded(path, "MATLAB file", lambda file: loadmat(file))  # type: ignore[arg-type]
    if key not in variables:
        found = ", ".join(sorted(name for name in variables if not name.startswith("__"))) or "nothing"
        raise InputError(f"{path}: has no variable {key!r}; it holds {found}")
    return np.asarray(variables[key])


def read_npy(path: Path) -> Array:
    """An array of numbers; one of Python objects is refused, for reading it would run code."""
    array = _decoded(path, "npy file", lambda file: np.load(file, allow_pickle=False))
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: is an archive of arrays (npz); one array (npy) is needed")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path}: holds {array.dtype}, not numbers")
    return array


def _decoded(path: Path, kind: str, decode: Callable[[BinaryIO], Decoded]) -> Decoded:
    """What ``decode`` makes of the file, or an InputError that names it."""
    try:
        with open(path, "rb") as file:
            return decode(file)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:
        # Files that are cut off or overwritten raise nearly anything.
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: damaged, or no {kind} ({reason}); put an undamaged copy in its place") from error
