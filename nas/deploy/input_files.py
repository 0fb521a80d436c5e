"""Input files for a network: list the samples in them with their names, and read one sample after another."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from nas.deploy.arrays import StoredArray, is_one_sample, list_arrays, read_samples
from nas.deploy.description import InputRecord
from nas.deploy.pictures import Placed, read_picture, require_pictures
from nas.errors import InputError
from nas.limits import MOST_SAMPLES

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
ARRAYS = (".npy", ".npz")
_NOT_IN_NAMES = re.compile(r"[/\\\x00-\x1f\x7f]")


class NamedInput(NamedTuple):
    """One sample as the network takes it, without the batch dimension.

    Files with its predictions get ``name``. ``placed`` is the position of a picture in the input; None for an array.
    """

    name: str
    input: Tensor
    file: Path
    placed: Placed | None = None


@dataclass(frozen=True)
class InputFile:
    """A file that was inspected: the names of its samples, and a call that reads them in this order."""

    path: Path
    names: tuple[str, ...]
    read: Callable[[], Iterator[NamedInput]]


def list_files(path: Path) -> list[tuple[str, Path]]:
    """The pictures and arrays at a path, a file or a folder, each with a name; hidden files are ignored.

    Raises:
        InputError: there are none.
    """
    if path.is_dir():
        files = sorted(
            file
            for file in path.iterdir()
            if file.suffix.lower() in PICTURES + ARRAYS and not file.name.startswith(".") and file.is_file()
        )
    else:
        files = [path] if path.is_file() else []
    if not files:
        what = "has no" if path.is_dir() else "is not a"
        raise InputError(f"{path}: {what} picture or array ({', '.join(PICTURES + ARRAYS)})")
    stems = Counter(file.stem for file in files)
    return [(file.stem if stems[file.stem] == 1 else file.name, file) for file in files]


def look_into(
    files: Iterable[tuple[str, Path]], record: InputRecord, *, letterbox: bool = False
) -> tuple[list[InputFile], dict[Path, InputError]]:
    """Inspect files without loading pictures or arrays; returns the usable files, and errors for the others.

    Args:
        letterbox: how pictures are resized (`nas.deploy.pictures.read_picture`).

    Raises:
        InputError: there are pictures, but the network takes none; or more than `nas.limits.MOST_SAMPLES` samples.
    """
    found, wrong, total = [], {}, 0
    for name, path in files:
        if path.suffix.lower() in PICTURES:
            require_pictures(record, path)
            found.append(InputFile(path, (name,), partial(_read_picture, name, path, record, letterbox)))
            continue
        try:
            arrays = list_arrays(path, record)
        except InputError as error:
            wrong[path] = error
            continue
        total += sum(1 if is_one_sample(array, record) else array.shape[0] for array in arrays)
        if total > MOST_SAMPLES:
            raise InputError(f"{path}: with it there are {total} samples; one call takes at most {MOST_SAMPLES}")
        names = tuple(own for array in arrays for own in _names(name, array, record))
        found.append(InputFile(path, names, partial(_read_arrays, names, path, arrays, record)))
    return found, wrong


def _names(name: str, array: StoredArray, record: InputRecord) -> list[str]:
    # A key of an .npz may contain slashes, and this name becomes the name of a file.
    own = f"{name}-{_NOT_IN_NAMES.sub('_', array.key)}" if array.key else name
    return [own] if is_one_sample(array, record) else [f"{own}-{i:04d}" for i in range(array.shape[0])]


def _read_picture(name: str, path: Path, record: InputRecord, letterbox: bool) -> Iterator[NamedInput]:
    inputs, placed = read_picture(path, record, letterbox=letterbox)
    yield NamedInput(name, inputs, path, placed)


def _read_arrays(
    names: tuple[str, ...], path: Path, arrays: list[StoredArray], record: InputRecord
) -> Iterator[NamedInput]:
    remaining = iter(names)
    for array in arrays:
        for sample in read_samples(path, array, record):
            yield NamedInput(next(remaining), sample, path)
