"""Read arrays from .npy and .npz files; their shapes and types are checked before an array is loaded."""

import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nas.deploy.description import InputRecord
from nas.errors import InputError
from nas.limits import MOST_UNPACKED_BYTES, MOST_VALUES

_MOST_PIXEL = 10.0
"""Floats that correspond to a pixel of larger magnitude (white is 1) were not scaled; 255 is such a value."""
_PIXEL_TYPES = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}
"""Types of integers that are pixels, with the value of white."""
_NPY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"


class StoredArray(NamedTuple):
    """An array that has not been loaded: its name in the file ("" in a .npy), shape, type, and a call that loads it."""

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[], npt.NDArray[Any]]


def list_arrays(file: Path, record: InputRecord) -> list[StoredArray]:
    """The arrays in a file. Each is one input of a network or, with one more dimension, several.

    Raises:
        InputError: the file is damaged, unpacks to more than `nas.limits` allow, or holds an array that does not fit.
    """
    try:
        with open(file, "rb") as opened:
            start = opened.read(len(_NPY))
        if start[: len(_ZIP)] == _ZIP:
            arrays = _list_members(file)
        elif start == _NPY:
            with open(file, "rb") as opened:
                shape, dtype = _read_header(opened, file.stat().st_size)
            # Memory-mapped, so that a file larger than memory can be read sample by sample.
            arrays = [StoredArray("", shape, dtype, lambda: np.load(file, mmap_mode="r", allow_pickle=False))]
        else:
            raise ValueError("neither .npy nor .npz")
    except Exception as error:  # parsers raise many classes for damaged files
        raise InputError(f"{file}: not a readable array ({error})") from error
    if not arrays:
        raise InputError(f"{file}: has no array")
    for array in arrays:
        _check(array, file, record)
    return arrays


def is_one_sample(array: StoredArray, record: InputRecord) -> bool:
    return len(array.shape) == len(record.shape)


def read_samples(file: Path, array: StoredArray, record: InputRecord) -> Iterator[Tensor]:
    """The samples of an array as inputs of the network: pixels are scaled, other numbers are unchanged.

    Raises:
        InputError: the array is damaged, or holds floats that cannot be pixels.
    """
    try:
        loaded = array.load()
    except Exception as error:  # as above
        raise InputError(f"{file}: not a readable array ({error})") from error
    for sample in loaded[None] if is_one_sample(array, record) else loaded:
        yield _to_input(file, sample, record)


def unscaled(inputs: Tensor, record: InputRecord) -> Tensor:
    """The pixels in [0, 1], [..., C, H, W], that inputs were made from; inputs that are not pictures are unchanged."""
    if record.takes_pixels:
        return inputs.float() / 255
    return inputs if record.pixels is None else record.pixels.from_inputs(inputs)


def _list_members(file: Path) -> list[StoredArray]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        # zipfile reads at most this many bytes of a member, whatever its content.
        total = sum(member.file_size for member in members)
        if total > MOST_UNPACKED_BYTES:
            raise ValueError(
                f"it unpacks to {total / 2**30:.1f} GiB, at most {MOST_UNPACKED_BYTES / 2**30:g} are allowed; "
                "put larger arrays into .npy files, which are not unpacked"
            )
        arrays = []
        for member in members:
            if not member.filename.endswith(".npy"):
                raise ValueError(f"it holds {member.filename!r}, which is not an array")
            with archive.open(member) as opened:
                shape, dtype = _read_header(opened, member.file_size)
            key = member.filename.removesuffix(".npy")
            arrays.append(StoredArray(key, shape, dtype, partial(_load_member, file, member)))
    return arrays


def _load_member(file: Path, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with zipfile.ZipFile(file) as archive, archive.open(member) as opened:
        array: npt.NDArray[Any] = np.lib.format.read_array(opened, allow_pickle=False)
        return array


def _read_header(opened: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array; ValueError unless its values fit into the file's size."""
    # Later versions are for arrays of records, and their headers have no limit of length.
    if np.lib.format.read_magic(opened) != (1, 0):
        raise ValueError("it holds records, not numbers")
    shape, _, dtype = np.lib.format.read_array_header_1_0(opened)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, not numbers")
    if min(shape, default=1) < 1:
        raise ValueError(f"it is empty, its shape is {list(shape)}")
    if opened.tell() + prod(shape) * dtype.itemsize > size:
        raise ValueError(f"it is cut off, or its shape {list(shape)} is wrong")
    return shape, dtype


def _check(array: StoredArray, file: Path, record: InputRecord) -> None:
    num_sides = len(record.shape)
    sample = array.shape[-num_sides:]
    same = sample[:1] == record.shape[:1] if record.dynamic_size else sample == record.shape
    fits = array.dtype == np.uint8 if record.takes_pixels else array.dtype.kind in "fiu"
    if not fits or len(array.shape) not in (num_sides, num_sides + 1) or not same:
        needed = "bytes (uint8)" if record.takes_pixels else "numbers"
        size = " (height and width may be others)" if record.dynamic_size else ""
        raise InputError(
            f"{file}: holds {array.dtype} of shape {list(array.shape)}; "
            f"needs {needed} of shape {list(record.shape)}{size}"
        )
    if prod(sample) > MOST_VALUES:
        raise InputError(f"{file}: a sample of shape {list(sample)} has more than {MOST_VALUES} numbers")
    if record.pixels is not None and array.dtype.kind in "iu" and array.dtype.newbyteorder("=") not in _PIXEL_TYPES:
        raise InputError(
            f"{file}: holds {array.dtype}, and the value of white is unknown; "
            "save pixels as uint8 or uint16, or floats as the network takes them"
        )


def _to_input(file: Path, array: npt.NDArray[Any], record: InputRecord) -> Tensor:
    if record.takes_pixels:
        return torch.from_numpy(np.array(array))
    white = _PIXEL_TYPES.get(array.dtype.newbyteorder("="))
    numbers = torch.from_numpy(np.array(array, dtype=np.float32))
    if record.pixels is None:
        return numbers
    if white is not None:
        return record.pixels.to_inputs(numbers / white)
    pixels = unscaled(numbers, record)
    if (largest := pixels.nan_to_num(0.0, 0.0, 0.0).abs().max().item()) > _MOST_PIXEL:
        raise InputError(
            f"{file}: holds floats up to {numbers.nan_to_num(0.0, 0.0, 0.0).abs().max().item():g}, which correspond "
            f"to pixels up to {largest:g}, but white is 1; use floats as the network takes them, or uint8 or uint16"
        )
    return numbers
