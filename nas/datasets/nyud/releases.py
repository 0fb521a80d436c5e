"""The two releases of NYUD_MT: how each stores its labels, and which one a folder has."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nas.data.reading import number_map, read_mat, read_npy, read_pixels, require_folder, require_size
from nas.datasets.class_maps import classes_from_one
from nas.datasets.normals import unit_normals
from nas.errors import InputError

NUM_CLASSES = 40

FOLDERS = {"semseg": "segmentation", "depth": "depth", "normals": "normals", "edge": "edge"}
"""By task, the folder of its labels, in both releases."""


class Stored(NamedTuple):
    """How a release stores a label.

    Args:
        ending: of the files' names.
        read: the label in a file, from its path and the size of its picture.
    """

    ending: str
    read: Callable[[Path, tuple[int, int]], Tensor]


def _read_edge_png(path: Path, size: tuple[int, int]) -> Tensor:
    return torch.from_numpy(read_pixels(path, ("L",), size).astype(np.float32) / 255)[None]


def _read_edge_npy(path: Path, size: tuple[int, int]) -> Tensor:
    edges = number_map(path, read_npy(path), 1, size)
    if not ((edges >= 0) & (edges <= 1)).all():
        raise InputError(f"{path}: holds values from {edges.min():g} to {edges.max():g}; edges are 0 to 1")
    return edges


def _read_classes_mat(path: Path, size: tuple[int, int]) -> Tensor:
    numbers = read_mat(path, "segmentation")
    if numbers.ndim != 2 or numbers.dtype.kind not in "uif":
        raise InputError(f"{path}: 'segmentation' holds {numbers.dtype} of shape {list(numbers.shape)}, not [H, W]")
    require_size(f"{path}:", numbers.shape, size)
    return classes_from_one(path, numbers, NUM_CLASSES)


def _read_classes_png(path: Path, size: tuple[int, int]) -> Tensor:
    return classes_from_one(path, read_pixels(path, ("L", "P"), size), NUM_CLASSES)


def _read_normals_jpg(path: Path, size: tuple[int, int]) -> Tensor:
    colours_HW3 = read_pixels(path, ("RGB",), size)
    return unit_normals(2 * torch.from_numpy(colours_HW3).permute(2, 0, 1).float() / 255 - 1)


def _read_normals_npy(path: Path, size: tuple[int, int]) -> Tensor:
    return unit_normals(number_map(path, read_npy(path), 3, size))


def _read_depth_mat(path: Path, size: tuple[int, int]) -> Tensor:
    return number_map(path, read_mat(path, "depth"), 1, size)


def _read_depth_npy(path: Path, size: tuple[int, int]) -> Tensor:
    return number_map(path, read_npy(path), 1, size)


RELEASES: dict[str, Mapping[str, Stored]] = {
    "first": {
        "semseg": Stored(".mat", _read_classes_mat),
        "depth": Stored(".mat", _read_depth_mat),
        "normals": Stored(".jpg", _read_normals_jpg),
        "edge": Stored(".png", _read_edge_png),
    },
    "second": {
        "semseg": Stored(".png", _read_classes_png),
        "depth": Stored(".npy", _read_depth_npy),
        "normals": Stored(".npy", _read_normals_npy),
        "edge": Stored(".npy", _read_edge_npy),
    },
}
"""By release and task, how the label is stored."""


def find_release(root: Path, tasks: Sequence[str]) -> str:
    """The release, "first" or "second", that the files in the folders of these tasks belong to.

    Raises:
        InputError: a folder is missing or has files of no release, or there are files of both; the message names a
            file of each.
    """
    examples: dict[str, Path] = {}
    for task in tasks:
        folder = require_folder(root / FOLDERS[task], f"NYUD_MT's folder of labels for {task}")
        endings = {by_task[task].ending: release for release, by_task in RELEASES.items()}
        found = sorted(path for path in folder.iterdir() if path.suffix in endings and not path.name.startswith("."))
        if not found:
            raise InputError(f"{folder}: has no labels for {task}; they have to be {' or '.join(endings)} files")
        for path in found:
            examples.setdefault(endings[path.suffix], path)
    if len(examples) == 2:
        first, second = (examples[release].relative_to(root) for release in RELEASES)
        raise InputError(
            f"{root}: mixes two releases: {first} is of the first, {second} of the second; keep the files of one"
        )
    return next(iter(examples), "first")
