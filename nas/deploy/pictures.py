"""What a network is shown: pictures and arrays from files, as it takes them."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

from nas.deploy.description import InputRecord, Pixels
from nas.errors import InputError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
ARRAYS = (".npy", ".npz")
_MODES = {1: "L", 3: "RGB"}


class NamedInput(NamedTuple):
    """One sample as the network takes it, without the batch, and a name for what is made of it."""

    name: str
    input: Tensor


def list_files(path: Path) -> dict[str, Path]:
    """The pictures and arrays at a path, itself or in a folder, by distinct names.

    Raises:
        InputError: there are none.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES + ARRAYS and file.is_file())
    else:
        files = [path] if path.is_file() else []
    if not files:
        what = "has no" if path.is_dir() else "is no"
        raise InputError(f"{path}: {what} picture or array ({', '.join(PICTURES + ARRAYS)})")
    stems = Counter(file.stem for file in files)
    return {file.stem if stems[file.stem] == 1 else file.name: file for file in files}


def read_inputs(files: dict[str, Path], taken: InputRecord) -> Iterator[NamedInput]:
    """The samples in files, one after the other.

    A picture is turned upright, made grey or coloured, and scaled to the network's size; where that may vary,
    to as many pixels with the sides' own ratio. An array holds one sample or, with one dimension more, several; bytes
    (uint8) are pixels if the network says how these are scaled, anything else is taken as it is.

    Raises:
        InputError: a file cannot be read, or does not fit; pictures for a network that does not say how to scale them.
    """
    for name, file in files.items():
        if file.suffix.lower() in PICTURES:
            yield NamedInput(name, _read_picture(file, taken))
        else:
            yield from _read_arrays(name, file, taken)


def unscaled(inputs: Tensor, taken: InputRecord) -> Tensor:
    """Pixels in [0, 1], [..., C, H, W], that inputs were made of; the inputs themselves if they are no pictures."""
    if taken.takes_pixels:
        return inputs.float() / 255
    if taken.pixels is None:
        return inputs
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (taken.pixels.mean, taken.pixels.std))
    return inputs * std + mean


def _read_picture(file: Path, taken: InputRecord) -> Tensor:
    if len(taken.shape) != 3 or taken.shape[0] not in _MODES:
        raise InputError(f"{file}: the network takes arrays of shape {list(taken.shape)}, not pictures")
    if taken.pixels is None:
        raise InputError(
            f"{file}: the exported network does not say how pixels become inputs; give it arrays (.npy), or "
            "its data source a pixel_scale (nas.data.PixelScale) and export again"
        )
    try:
        with Image.open(file) as opened:
            picture = ImageOps.exif_transpose(opened).convert(_MODES[taken.shape[0]])
    except Exception as error:  # PIL's readers raise whatever they run into, and refuse pictures of too many pixels
        raise InputError(f"{file}: not a readable picture ({error})") from error
    height, width = _size(picture.height, picture.width, taken)
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    bytes_HWC = np.array(picture).reshape(height, width, -1)
    bytes_CHW = torch.from_numpy(bytes_HWC).movedim(-1, 0).contiguous()
    return bytes_CHW if taken.takes_pixels else _scaled(bytes_CHW, taken.pixels)


def _scaled(bytes_CHW: Tensor, pixels: Pixels) -> Tensor:
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (pixels.mean, pixels.std))
    return (bytes_CHW.float() / 255 - mean) / std


def _size(height: int, width: int, taken: InputRecord) -> tuple[int, int]:
    own_height, own_width = taken.shape[1:]
    if not taken.dynamic_size:
        return own_height, own_width
    scale = math.sqrt(own_height * own_width / (height * width))
    return max(1, round(scale * height)), max(1, round(scale * width))


def _read_arrays(name: str, file: Path, taken: InputRecord) -> Iterator[NamedInput]:
    try:
        loaded = np.load(file, allow_pickle=False)
        arrays = {name: loaded} if isinstance(loaded, np.ndarray) else {f"{name}-{key}": loaded[key] for key in loaded}
    except Exception as error:  # of a damaged file numpy raises what its parsers do
        raise InputError(f"{file}: not a readable array ({error})") from error
    num_sides = len(taken.shape)
    for key, array in arrays.items():
        fits = array.dtype == np.uint8 if taken.takes_pixels else array.dtype.kind in "fiu"
        if not fits or array.ndim not in (num_sides, num_sides + 1) or array.shape[-num_sides] != taken.shape[0]:
            needed = "bytes (uint8)" if taken.takes_pixels else "numbers"
            raise InputError(
                f"{file}: holds {array.dtype} of shape {list(array.shape)}; needs {needed} of shape {list(taken.shape)}"
            )
        # A key of an .npz may hold slashes, and files are written by this name.
        own = key.replace("/", "_")
        if array.ndim == num_sides:
            yield NamedInput(own, _sample(array, taken))
        else:
            for i, sample in enumerate(array):
                yield NamedInput(f"{own}-{i:04d}", _sample(sample, taken))


def _sample(array: npt.NDArray[Any], taken: InputRecord) -> Tensor:
    if array.dtype == np.uint8 and taken.pixels is not None:
        bytes_CHW = torch.from_numpy(np.ascontiguousarray(array))
        return bytes_CHW if taken.takes_pixels else _scaled(bytes_CHW, taken.pixels)
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
