"""One sample of PASCAL_MT: from its files to bytes, and from bytes to tensors.

The cache stores the bytes (see `cache`), so a sample is the same whether it comes from the files or from the cache.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from nas.data.augmentation.geometry import IGNORED_CLASS
from nas.data.batch import Sample
from nas.data.reading import read_mat, read_picture, read_pixels, require_size
from nas.datasets.normals import normals_of_colours
from nas.datasets.pascal.edges import class_edges
from nas.datasets.pascal.files import SampleFiles
from nas.datasets.pascal.human_parts import read_human_parts
from nas.datasets.pascal.indoor import INDOOR_CLASSES
from nas.errors import InputError

Bytes = npt.NDArray[np.uint8]

NUM_CLASSES = 21


def decode(files: SampleFiles, tasks: Collection[str], half_resolution: bool) -> dict[str, Bytes]:
    """The picture ("image", [H, W, 3]) and its labels, each [H, W], except normals [H, W, 3].

    In half resolution both sides are halved and rounded down: the picture with Lanczos' filter, labels with the nearest
    pixel, and LabelMap before its edges are computed. Pixels without a label are 255. A picture without people has no
    "human_parts" label.
    """
    picture = read_picture(files.image).convert("RGB")
    size = picture.height, picture.width
    if half_resolution:
        half = max(1, picture.width // 2), max(1, picture.height // 2)
        picture = picture.resize(half, Image.Resampling.LANCZOS)
    shrink = _Nearest(size, (picture.height, picture.width))
    decoded: dict[str, Bytes] = {"image": np.array(picture)}
    if "semseg" in tasks:
        decoded["semseg"] = shrink(_read_classes(files.semseg, size))
    if "human_parts" in tasks and files.may_have_people:
        parts = shrink(read_human_parts(files.human_parts, size))
        if parts.any():
            decoded["human_parts"] = parts
    if "sal" in tasks:
        # Above one half, as value / 255 > 0.5.
        decoded["sal"] = (shrink(read_pixels(files.sal, ("L",), size)) > 127).astype(np.uint8)
    if "normals" in tasks or "edge" in tasks:
        label_map = shrink(_read_label_map(files.label_map, size))
        if "normals" in tasks:
            normals = shrink(read_pixels(files.normals, ("RGB",), size))
            normals[~np.isin(label_map, list(INDOOR_CLASSES))] = IGNORED_CLASS
            decoded["normals"] = normals
        if "edge" in tasks:
            decoded["edge"] = class_edges(label_map).astype(np.uint8)
    return decoded


def to_sample(decoded: Mapping[str, Bytes]) -> Sample:
    """The result of `decode` as tensors."""
    tensors = {name: torch.from_numpy(array) for name, array in decoded.items()}
    image = tensors.pop("image").permute(2, 0, 1).float() / 255
    labels: dict[str, Tensor] = {}
    for task, label in tensors.items():
        if task == "normals":
            labels[task] = normals_of_colours(label.permute(2, 0, 1))
        elif task in ("sal", "edge"):
            labels[task] = label[None].float()
        else:
            labels[task] = label.long()
    return image, labels


class _Nearest:
    """Takes maps of one size to another by the pixel whose square holds the centre, as Pillow's NEAREST does."""

    def __init__(self, size: tuple[int, int], to: tuple[int, int]) -> None:
        self.rows, self.columns = (
            ((np.arange(new) + 0.5) * (old / new)).astype(np.intp) for old, new in zip(size, to, strict=True)
        )

    def __call__(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array[self.rows][:, self.columns]


def _read_classes(path: Path, size: tuple[int, int]) -> Bytes:
    classes_HW = read_pixels(path, ("P", "L"), size)
    wrong = (classes_HW >= NUM_CLASSES) & (classes_HW != IGNORED_CLASS)
    if wrong.any():
        raise InputError(
            f"{path}: holds the class {classes_HW[wrong][0]}; classes are 0 to {NUM_CLASSES - 1}, and 255 is ignored"
        )
    return classes_HW


def _read_label_map(path: Path, size: tuple[int, int]) -> npt.NDArray[Any]:
    label_map = read_mat(path, "LabelMap")
    if label_map.ndim != 2 or label_map.dtype.kind not in "ui":
        raise InputError(
            f"{path}: LabelMap holds {label_map.dtype} of shape {list(label_map.shape)}; "
            f"it has to be one integer per pixel"
        )
    require_size(f"{path}:", label_map.shape, size)
    return label_map
