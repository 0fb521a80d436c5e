"""Pictures as a network takes them, and maps in a picture's own size."""

import math
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from nas.data.pictures import open_picture
from nas.deploy.arrays import scaled
from nas.deploy.description import InputRecord, TaskRecord
from nas.deploy.output_kind import answers
from nas.errors import InputError
from nas.limits import MOST_VALUES

Size = tuple[int, int]
"""Height and width."""
_MODES = {1: "L", 3: "RGB"}
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262
"""Tags of a TIFF; a photometric interpretation of 0 means that 0 is white."""


def require_pictures(taken: InputRecord, where: Path) -> None:
    """InputError unless a network takes pictures; it names the picture."""
    if len(taken.shape) != 3 or taken.shape[0] not in _MODES:
        raise InputError(f"{where}: the network takes arrays of shape {list(taken.shape)}, not pictures")
    if taken.pixels is None:
        raise InputError(
            f"{where}: the exported network does not say how pixels become inputs; give it arrays (.npy), or "
            "its data source a pixel_scale (nas.data.PixelScale) and export again"
        )


def read_picture(file: Path, taken: InputRecord) -> tuple[Tensor, Size]:
    """A picture as the network takes it, [C, H, W], and the picture's own size.

    It is turned upright, made grey or coloured, and scaled to the network's size; where that may vary, to as many
    pixels with the sides' own ratio. Pixels of 8 and 16 bits are divided by the value of a white one; floats have to
    be in [0, 1].

    Raises:
        InputError: the file cannot be read, or its pixels' range is not known.
    """
    require_pictures(taken, file)
    assert taken.pixels is not None
    try:
        picture: Image.Image = open_picture(file)
        # In place, so that it still knows what file it is from.
        ImageOps.exif_transpose(picture, in_place=True)
        unit = _unit_values(picture)
        picture = picture.convert(_MODES[taken.shape[0]]) if unit is None else Image.fromarray(unit)
    except Exception as error:  # Pillow's decoders raise whatever they run into
        raise InputError(f"{file}: not a readable picture ({error})") from error
    own_size = picture.height, picture.width
    height, width = input_size(own_size, taken)
    if own_size != (height, width):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    values_HWC = torch.from_numpy(np.array(picture).reshape(height, width, -1))
    values_CHW = values_HWC.movedim(-1, 0).expand(taken.shape[0], -1, -1).contiguous()
    if taken.takes_pixels:
        return (values_CHW if unit is None else (255 * values_CHW).round().to(torch.uint8)), own_size
    return scaled(values_CHW.float() / 255 if unit is None else values_CHW, taken.pixels), own_size


def input_size(own_size: Size, taken: InputRecord) -> Size:
    """The size in which a network is shown a picture."""
    height, width = own_size
    own_height, own_width = taken.shape[1:]
    if not taken.dynamic_size:
        return own_height, own_width
    scale = math.sqrt(own_height * own_width / (height * width))
    return max(1, round(scale * height)), max(1, round(scale * width))


def in_size(task: TaskRecord, answer: Tensor, size: Size) -> Tensor:
    """A map of answers in another size: classes of the nearest pixel, numbers between those of four pixels.

    Args:
        answer: [H, W] of classes, [channels, H, W] of anything else.

    Raises:
        InputError: the map would have more than `nas.limits.MOST_VALUES` numbers.
    """
    found = tuple(answer.shape[-2:])
    if found == size:
        return answer
    if prod(answer.shape[:-2]) * prod(size) > MOST_VALUES:
        raise InputError(
            f"{task.name} in the picture's own size, {size[0]} x {size[1]}, would have more than {MOST_VALUES} "
            "numbers; make the picture smaller"
        )
    if task.kind == "classes":
        rows, columns = (
            ((torch.arange(new) + 0.5) * (old / new)).long().clamp(max=old - 1)
            for new, old in zip(size, found, strict=True)
        )
        return answer[rows][:, columns]
    resized = functional.interpolate(answer[None], size, mode="bilinear", align_corners=False)
    return (answers("directions", resized) if task.kind == "directions" else resized)[0]


def _unit_values(picture: Image.Image) -> npt.NDArray[Any] | None:
    """Pixels in [0, 1], float32 [H, W], of a picture of more than 8 bits; None for one of 8, which Pillow converts.

    Raises:
        ValueError: which value is white is not known.
    """
    mode = picture.mode
    if mode == "F":
        values = np.asarray(picture)
        low, high = values.min(), values.max()
        if not 0 <= low <= high <= 1:
            raise ValueError(f"its floats are from {low:g} to {high:g}, and only in [0, 1] is it known which is white")
        return values
    # Pillow before 11 opens a PNG of 16 bits as one of 32.
    if mode.startswith("I;16") or (mode == "I" and picture.format == "PNG"):
        bits, inverted = 16, False
        if tags := getattr(picture, "tag_v2", None):
            bits, inverted = tags.get(_BITS_PER_SAMPLE, (16,))[0], tags.get(_PHOTOMETRIC) == 0
        values = np.asarray(picture).astype(np.float32) / np.float32(2**bits - 1)
        return 1 - values if inverted else values
    if mode.startswith("I"):
        raise ValueError("its integers are signed or of 32 bits, and which of them is white is not known")
    return None
