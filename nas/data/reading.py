"""Reading single files of a data set; every error is an `InputError` of one line that names the file.

No file stays open, because results are in memory; so any number of worker processes may use a data set.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from nas.data.pictures import open_picture
from nas.errors import InputError

Array = npt.NDArray[Any]
Decoded = TypeVar("Decoded")


def require_folder(path: Path, what: str) -> Path:
    """The folder; InputError if it does not exist. ``what`` says what it should be, for the message."""
    if not path.is_dir():
        found = "is a file, not a folder" if path.exists() else "no such folder"
        raise InputError(f"{path}: {found}; it must be {what}")
    return path


def list_arrays(folder: Path) -> set[str]:
    """The names of a folder's npy files, without the ending.

    Hidden files are skipped: macOS adds files such as ``._0.npy``, which hold no arrays.
    """
    return {path.stem for path in folder.glob("*.npy") if not path.name.startswith(".")}


def read_text(path: Path, what: str) -> str:
    """The text of a file; ``what`` says what it must list, for the message.

    Raises:
        InputError: the file is missing, cannot be read, or is not UTF-8 text.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; it must list {what}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: line {number} is not UTF-8 text; save the file as UTF-8") from None


def read_ids(path: Path) -> tuple[str, ...]:
    """Read the names in a split file, one per line; blank lines and spaces around names are ignored.

    Raises:
        InputError: the file is missing, is not UTF-8 text, lists no names, a name twice, or a name with a slash.
    """
    text = read_text(path, "the ids of a split, one per line")
    first_lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name = line.strip()
        if not name:
            continue
        if any(letter in name for letter in "/\\\0"):
            raise InputError(f"{path}: line {number}: {name!r} is not an id; ids are file names without their ending")
        if name in first_lines:
            raise InputError(f"{path}: lists {name!r} twice, in lines {first_lines[name]} and {number}; remove one")
        first_lines[name] = number
    if not first_lines:
        raise InputError(f"{path}: lists no ids; each line must name one")
    return tuple(first_lines)


def require_size(label: str, found: Sequence[int], size: Sequence[int]) -> None:
    """InputError unless a label has the height and width of its picture; ``label`` names it, in the message."""
    if tuple(found) != tuple(size):
        label_size, picture_size = (" x ".join(map(str, sides)) for sides in (found, size))
        raise InputError(f"{label} is {label_size} pixels, its picture {picture_size}")


def read_picture(path: Path) -> Image.Image:
    """Read and decode a picture (`nas.data.pictures.open_picture`)."""
    return _decoded(path, "picture", open_picture)


def read_rgb(path: Path) -> tuple[Tensor, tuple[int, int]]:
    """A sample's picture, float [3, H, W] in [0, 1], and its height and width; errors as in `read_picture`."""
    picture = read_picture(path).convert("RGB")
    pixels_HW3 = torch.from_numpy(np.array(picture))
    return pixels_HW3.permute(2, 0, 1).float() / 255, (picture.height, picture.width)


def read_pixels(path: Path, modes: Sequence[str], size: Sequence[int]) -> Array:
    """The pixels of a label that is stored as a picture: [H, W], or [H, W, channels].

    Raises:
        InputError: as `read_picture`; or the picture has none of Pillow's ``modes``, or another height and width than
            ``size``, which is that of the sample's picture.
    """
    picture = read_picture(path)
    if picture.mode not in modes:
        raise InputError(f"{path}: is a picture of mode {picture.mode}; its pixels have to be {' or '.join(modes)}")
    require_size(f"{path}:", (picture.height, picture.width), size)
    return np.array(picture)


def read_numbers_of_16_bits(path: Path, size: Sequence[int]) -> Array:
    """The numbers 0 to 65,535 of a PNG with one channel of 16 bits, int32 [H, W]; errors as in `read_pixels`."""
    # Pillow names the mode "I" or "I;16", depending on its version; int32 holds both without a sign.
    return read_pixels(path, ("I;16", "I"), size).astype(np.int32)


def read_mat(path: Path, key: str) -> Array:
    """Read one variable of a MATLAB file (up to version 7.2)."""
    # Imported here because it takes half a second, which only users of such files should pay.
    from scipy.io import loadmat

    # scipy's stubs accept paths only.
    variables = _decoded(path, "MATLAB file", lambda file: loadmat(file))  # type: ignore[arg-type]
    if key not in variables:
        found = ", ".join(sorted(name for name in variables if not name.startswith("__"))) or "nothing"
        raise InputError(f"{path}: has no variable {key!r}; it holds {found}")
    return np.asarray(variables[key])


def read_npy(path: Path) -> Array:
    """Read an array of numbers. An array of Python objects is refused, because reading it would run code."""
    array = _decoded(path, "npy file", lambda file: np.load(file, allow_pickle=False))
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: is an archive of arrays (npz); one array (npy) is needed")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path}: holds {array.dtype}, not numbers")
    return array


def number_map(path: Path, numbers: Array, channels: int, size: Sequence[int]) -> Tensor:
    """Numbers that were read from a file, as a label: float [channels, H, W].

    Args:
        path: the file, for messages.
        numbers: [H, W, channels]; also [H, W] if there is one channel.
        channels: the number of channels.
        size: height and width of the sample's picture.

    Raises:
        InputError: the numbers have another shape, or another size than the picture.
    """
    shaped = numbers[..., None] if numbers.ndim == 2 and channels == 1 else numbers
    if shaped.ndim != 3 or shaped.shape[-1] != channels or shaped.dtype.kind not in "biuf":
        wanted = "[H, W] or [H, W, 1]" if channels == 1 else f"[H, W, {channels}]"
        raise InputError(f"{path}: holds {numbers.dtype} of shape {list(numbers.shape)}; numbers {wanted} are needed")
    require_size(f"{path}:", shaped.shape[:2], size)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(shaped, -1, 0), dtype=np.float32))


def read_npz(path: Path) -> dict[str, Array]:
    """Read all arrays of an archive, by name; arrays of Python objects are refused, as by `read_npy`."""

    def arrays(file: BinaryIO) -> dict[str, Array]:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    return _decoded(path, "npz file", arrays)


def _decoded(path: Path, kind: str, decode: Callable[[BinaryIO], Decoded]) -> Decoded:
    """The result of ``decode`` for the file, or an InputError that names it."""
    try:
        with open(path, "rb") as file:
            return decode(file)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:
        # Decoders raise nearly any error for files that are truncated or overwritten.
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: damaged, or no {kind} ({reason}); put an undamaged copy in its place") from error
