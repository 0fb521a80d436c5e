"""Make network inputs from pictures, and resize maps to a picture's own size."""

import math
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from nas.data.augmentation import Letterbox
from nas.data.augmentation.geometry import MID_GREY
from nas.data.pictures import open_picture
from nas.deploy.description import InputRecord, TaskRecord
from nas.deploy.output_kind import answers
from nas.errors import InputError
from nas.limits import MOST_VALUES

Size = tuple[int, int]
"""Height and width."""
_MODES = {1: "L", 3: "RGB"}
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262
"""Tags of a TIFF; a photometric interpretation of 0 means that 0 is white."""


class MapTooLargeError(InputError):
    """A map would have too many numbers in the size of its picture."""


class Placed(NamedTuple):
    """The position of a picture in an input.

    Args:
        own: the picture's own size, upright.
        shown: its size in the input.
        top, left: its upper left corner in the input; the rest is padding.
    """

    own: Size
    shown: Size
    top: int = 0
    left: int = 0


def require_pictures(record: InputRecord, where: Path) -> None:
    """InputError unless a network takes pictures; it names the picture."""
    if len(record.shape) != 3 or record.shape[0] not in _MODES:
        raise InputError(f"{where}: the network takes arrays of shape {list(record.shape)}, not pictures")
    if record.pixels is None:
        raise InputError(
            f"{where}: the exported network does not say how pixels become inputs; give it arrays (.npy), or "
            "its data source a pixel_scale (nas.data.PixelScale) and export again"
        )


def read_picture(file: Path, record: InputRecord, *, letterbox: bool = False) -> tuple[Tensor, Placed]:
    """Read a picture as an input of the network, [C, H, W]; also returns its position in the input.

    The picture is turned upright, converted to grey or colour, and resized to the network's size; if the network takes
    any size, to the same number of pixels with the picture's own ratio. Pixels with 8 or 16 bits are divided by the
    value of white; floats must be in [0, 1].

    Args:
        letterbox: keep the ratio of the sides, and fill the rest of the network's size with grey.

    Raises:
        InputError: the file cannot be read, or the value of white is unknown.
    """
    require_pictures(record, file)
    assert record.pixels is not None
    try:
        picture: Image.Image = open_picture(file)
        # In place, because a copy would lose the format of the file.
        ImageOps.exif_transpose(picture, in_place=True)
        unit = _unit_values(picture)
        picture = picture.convert(_MODES[record.shape[0]]) if unit is None else Image.fromarray(unit)
    except Exception as error:  # Pillow's decoders raise many classes
        raise InputError(f"{file}: not a readable picture ({error})") from error
    (height, width), placed = place((picture.height, picture.width), record, letterbox=letterbox)
    if placed.own != placed.shown:
        picture = picture.resize(placed.shown[::-1], Image.Resampling.BILINEAR)
    if placed.shown != (height, width):
        grey = MID_GREY if unit is not None else round(255 * MID_GREY)
        padded = Image.new(picture.mode, (width, height), grey if len(picture.mode) == 1 else (int(grey),) * 3)
        padded.paste(picture, (placed.left, placed.top))
        picture = padded
    values_HWC = torch.from_numpy(np.array(picture).reshape(height, width, -1))
    values_CHW = values_HWC.movedim(-1, 0).expand(record.shape[0], -1, -1).contiguous()
    if record.takes_pixels:
        return (values_CHW if unit is None else (255 * values_CHW).round().to(torch.uint8)), placed
    return record.pixels.to_inputs(values_CHW.float() / 255 if unit is None else values_CHW), placed


def place(own: Size, record: InputRecord, *, letterbox: bool) -> tuple[Size, Placed]:
    """The size of the input for a picture of a given size, and the position of the picture in it."""
    height, width = own
    own_height, own_width = record.shape[1:]
    if letterbox:
        rows, columns = Letterbox((own_height, own_width)).inner_size(height, width)
        placed = Placed(own, (rows, columns), (own_height - rows) // 2, (own_width - columns) // 2)
        return (own_height, own_width), placed
    if not record.dynamic_size:
        return (own_height, own_width), Placed(own, (own_height, own_width))
    scale = math.sqrt(own_height * own_width / (height * width))
    size = max(1, round(scale * height)), max(1, round(scale * width))
    return size, Placed(own, size)


def cut_to_picture(answer: Tensor, placed: Placed, shown: Size) -> Tensor:
    """The part of a map, [..., H, W], that belongs to the picture; ``shown`` is the size of the whole input."""
    rows, columns = (
        slice(round(start * scale), max(round(start * scale) + 1, round((start + length) * scale)))
        for start, length, scale in zip(
            (placed.top, placed.left),
            placed.shown,
            (answer.shape[-2] / shown[0], answer.shape[-1] / shown[1]),
            strict=True,
        )
    )
    return answer[..., rows, columns]


def in_size(task: TaskRecord, answer: Tensor, size: Size) -> Tensor:
    """Resize a map of predictions: classes by the nearest pixel, numbers bilinearly.

    Args:
        answer: [H, W] for classes, [channels, H, W] for other kinds.

    Raises:
        MapTooLargeError: the map would have more than `nas.limits.MOST_VALUES` numbers.
    """
    found = tuple(answer.shape[-2:])
    if found == size:
        return answer
    if prod(answer.shape[:-2]) * prod(size) > MOST_VALUES:
        raise MapTooLargeError(
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
    """Pixels in [0, 1], float32 [H, W], of a picture with more than 8 bits; None for 8 bits, which Pillow converts.

    Raises:
        ValueError: the value of white is unknown.
    """
    mode = picture.mode
    if mode == "F":
        values = np.asarray(picture)
        low, high = values.min(), values.max()
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"its floats are from {low:g} to {high:g}, and the value of white is known only for floats in [0, 1]"
            )
        return values
    # Pillow before 11 opens a PNG with 16 bits as one with 32.
    if mode.startswith("I;16") or (mode == "I" and picture.format == "PNG"):
        bits, inverted = 16, False
        if tags := getattr(picture, "tag_v2", None):
            bits, inverted = tags.get(_BITS_PER_SAMPLE, (16,))[0], tags.get(_PHOTOMETRIC) == 0
        values = np.asarray(picture).astype(np.float32) / np.float32(2**bits - 1)
        return 1 - values if inverted else values
    if mode.startswith("I"):
        raise ValueError("its integers are signed or of 32 bits, and the value of white is unknown")
    return None
