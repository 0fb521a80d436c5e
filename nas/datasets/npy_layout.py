"""Data sets with one array file per sample and label: NYUv2 and Cityscapes as MTAN published them.

    root/{train,val}/{image,label,depth,normal}/<i>.npy       i = 0, 1, 2, ...

LibMTL, auto-lambda and Nash-MTL use the same folders. `NYUv2` and `Cityscapes` define their labels; `NpyLayout` reads
any other data set of this form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from nas.data.augmentation.geometry import IGNORED_CLASS
from nas.data.augmentation.kinds import LabelKind, check_kinds
from nas.data.augmentation.resizing import Resizing, require_resizing
from nas.data.batch import Sample
from nas.data.ids import IdSource, cut_ids
from nas.data.reading import Array, list_arrays, read_npy, require_folder, require_size
from nas.errors import InputError


@dataclass(frozen=True)
class ClassMaps:
    """A folder of arrays [H, W] of classes 0 to num_classes - 1, of integers or whole floats; -1 and 255 are ignored.

    Labels are int64 [H, W], with 255 for both.
    """

    folder: str
    num_classes: int
    kind: ClassVar[LabelKind] = "classes"

    def read(self, path: Path) -> Tensor:
        array = read_npy(path)
        _require_shape(path, array, (None, None))
        with np.errstate(invalid="ignore"):
            # A NaN becomes an arbitrary integer, differs from it, and so is refused.
            classes_HW = array.astype(np.int64)
        known = (classes_HW >= 0) & (classes_HW < self.num_classes)
        wrong = ~known & (classes_HW != -1) & (classes_HW != IGNORED_CLASS) | (classes_HW != array)
        if wrong.any():
            raise InputError(
                f"{path}: holds {array[wrong][0]:g}; classes are 0 to {self.num_classes - 1}, "
                f"and -1 and {IGNORED_CLASS} are ignored"
            )
        return torch.from_numpy(np.where(known, classes_HW, IGNORED_CLASS))


@dataclass(frozen=True)
class NumberMaps:
    """A folder of arrays of floats [H, W, channels]. Labels are float [channels, H, W], with the same values.

    Args:
        kind: how augmentation changes the numbers when it moves pixels.
    """

    folder: str
    channels: int
    kind: LabelKind = "values"

    def read(self, path: Path) -> Tensor:
        return _channels_first(path, self.channels)


class NpyLayout(IdSource):
    """A data source of arrays in folders ``train`` and ``val``, numbered from 0.

    A sample is a picture, float [3, H, W] in [0, 1] from the folder ``image`` ([H, W, 3]), and the labels. The split
    "test" is ``val``. The other splits are a random partition of ``train`` (see `nas.data.ids.cut_ids`). The id
    "train/7" in `describe_splits` stands for ``train/*/7.npy``. Arrays are read when a sample is requested.

    Args:
        root: the folder that contains ``train`` and ``val``.
        labels: by task, `ClassMaps` or `NumberMaps`.
        architecture, validation: shares of ``train``, above 0 and below 1.
        seed: seed of the partition.
        resize: resizes pictures and labels of all splits to one size.

    Raises:
        InputError: a folder is missing or empty, the pictures are not numbered 0, 1, 2, ..., or a picture has no label.
            Errors in an array are raised when it is read.
    """

    def __init__(
        self,
        root: str | Path,
        labels: Mapping[str, ClassMaps | NumberMaps],
        *,
        architecture: float = 0.2,
        validation: float = 0.05,
        seed: int = 0,
        resize: Resizing | None = None,
    ) -> None:
        require_resizing(resize)
        self.resize = resize
        self.root = require_folder(Path(root).expanduser(), "the folder with train and val")
        self.labels = dict(labels)
        check_kinds(self.kinds)
        for half in ("train", "val"):
            for task, maps in self.labels.items():
                require_folder(self.root / half / maps.folder, f"the folder of labels for {task}")
        super().__init__(
            cut_ids(
                *(self._list_ids("train"), self._list_ids("val")),
                architecture=architecture,
                validation=validation,
                seed=seed,
                where=str(self.root / "train" / "image"),
            )
        )

    @property
    def kinds(self) -> dict[str, LabelKind]:
        """By task, the kind of its labels, which decides how an augmentation changes them."""
        return {task: maps.kind for task, maps in self.labels.items()}

    def sample(self, id: str) -> Sample:
        half, number = id.split("/")
        image = _read_image(self.root / half / "image" / f"{number}.npy")
        labels = {}
        for task, maps in self.labels.items():
            path = self.root / half / maps.folder / f"{number}.npy"
            labels[task] = maps.read(path)
            require_size(f"{path}:", labels[task].shape[-2:], image.shape[-2:])
        return (image, labels) if self.resize is None else self.resize((image, labels), self.kinds)

    def _list_ids(self, half: str) -> list[str]:
        """``half/0``, ``half/1``, ... for all pictures; InputError unless each has a file for every label."""
        folder = require_folder(self.root / half / "image", "the folder of pictures")
        found = list_arrays(folder)
        if not found:
            raise InputError(f"{folder}: holds no pictures; they have to be 0.npy, 1.npy, ...")
        if other := sorted(name for name in found if not name.isdecimal()):
            raise InputError(f"{folder / other[0]}.npy: pictures have to be 0.npy, 1.npy, ...; rename or remove it")
        numbers = [str(i) for i in range(len(found))]
        if missing := next((number for number in numbers if number not in found), None):
            raise InputError(
                f"{folder}: has {len(found)} pictures but no {missing}.npy; "
                f"they have to be numbered from 0 without gaps"
            )
        for task, maps in self.labels.items():
            labels = self.root / half / maps.folder
            labelled = list_arrays(labels)
            if missing := next((number for number in numbers if number not in labelled), None):
                raise InputError(f"{labels / missing}.npy: no such file; every picture needs a label for {task}")
        return [f"{half}/{number}" for number in numbers]


class NYUv2(NpyLayout):
    """NYUv2 in 288 x 384 pixels, 795 samples for training and 654 for testing (Liu et al., MTAN, CVPR 2019).

    Labels: "semseg", 13 classes; "depth", float [1, H, W] in metres, 0 where it was not measured; "normals", float
    [3, H, W], all zero where there are none.

    Args:
        root: the folder that has ``train`` and ``val``.
        tasks: which labels are read; the folders of others need not be there.
        architecture, validation, seed, resize: see `NpyLayout`.
    """

    LABELS: Mapping[str, ClassMaps | NumberMaps] = {
        "semseg": ClassMaps("label", 13),
        "depth": NumberMaps("depth", 1, "depth"),
        "normals": NumberMaps("normal", 3, "normals"),
    }

    def __init__(
        self,
        root: str | Path,
        *,
        tasks: Sequence[str] = ("semseg", "depth", "normals"),
        architecture: float = 0.2,
        validation: float = 0.05,
        seed: int = 0,
        resize: Resizing | None = None,
    ) -> None:
        labels = _chosen(self.LABELS, tasks, "NYUv2")
        super().__init__(root, labels, architecture=architecture, validation=validation, seed=seed, resize=resize)


class Cityscapes(NpyLayout):
    """Cityscapes in 128 x 256 pixels, 2,975 samples for training and 500 for testing (Liu et al., MTAN, CVPR 2019).

    Labels: "semseg", 7 or 19 classes; "depth", the inverse depth, float [1, H, W], 0 where it is not known.

    Args:
        root: the folder that has ``train`` and ``val``.
        tasks: which labels are read; the folders of others need not be there.
        num_classes: 7 reads ``label``, or ``label_7`` where that is its name; 19 reads ``label_19``.
        architecture, validation, seed, resize: see `NpyLayout`.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        tasks: Sequence[str] = ("semseg", "depth"),
        num_classes: Literal[7, 19] = 7,
        architecture: float = 0.2,
        validation: float = 0.05,
        seed: int = 0,
        resize: Resizing | None = None,
    ) -> None:
        if num_classes not in (7, 19):
            raise InputError(f"Cityscapes: num_classes is {num_classes}, must be 7 or 19")
        numbered = num_classes == 19 or (Path(root).expanduser() / "train" / "label_7").is_dir()
        classes = ClassMaps(f"label_{num_classes}" if numbered else "label", num_classes)
        labels = _chosen({"semseg": classes, "depth": NumberMaps("depth", 1, "inverse_depth")}, tasks, "Cityscapes")
        super().__init__(root, labels, architecture=architecture, validation=validation, seed=seed, resize=resize)


def _chosen(
    known: Mapping[str, ClassMaps | NumberMaps], tasks: Sequence[str], name: str
) -> dict[str, ClassMaps | NumberMaps]:
    if unknown := sorted(set(tasks) - set(known)):
        raise InputError(f"{name} has no labels for {', '.join(unknown)}; its tasks are {', '.join(known)}")
    return {task: maps for task, maps in known.items() if task in tasks}


def _read_image(path: Path) -> Tensor:
    image_3HW = _channels_first(path, 3)
    # Resampled pictures may exceed [0, 1] a little; larger values mean pictures in 0 to 255.
    low, high = image_3HW.min().item(), image_3HW.max().item()
    if not -0.5 <= low <= high <= 1.5:
        raise InputError(f"{path}: holds values from {low:g} to {high:g}; pictures are floats in [0, 1]")
    return image_3HW


def _channels_first(path: Path, channels: int) -> Tensor:
    array = read_npy(path)
    _require_shape(path, array, (None, None, channels))
    if array.dtype.kind != "f":
        raise InputError(f"{path}: holds {array.dtype}; floats are needed")
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 0), dtype=np.float32))


def _require_shape(path: Path, array: Array, shape: tuple[int | None, ...]) -> None:
    fits = array.ndim == len(shape) and all(
        size in (None, found) for size, found in zip(shape, array.shape, strict=True)
    )
    if not fits or array.size == 0:
        wanted = ", ".join("HW"[i] if size is None else str(size) for i, size in enumerate(shape))
        raise InputError(f"{path}: has the shape {list(array.shape)}; [{wanted}] is needed")
