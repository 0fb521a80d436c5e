"""The recipe for folders of arrays with a label for every pixel."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.data.reading import Array, list_arrays, read_npy, require_folder
from nas.datasets.columns import task_name
from nas.errors import InputError, no_such
from nas.templates import body
from nas.templates.backbones import for_pictures
from nas.templates.source_text import call, comment, folder_of, quoted
from nas.templates.wanted import Wanted

_MOST_READ = 64
"""This many arrays, evenly spaced, tell what a folder holds."""
_IGNORED = (-1, 255)
_MOST_SIDE = 256

_IMPORTS = (
    "from nas.data.augmentation import Resize",
    "from nas.datasets.npy_layout import ClassMaps, NpyLayout, NumberMaps",
)


@dataclass(frozen=True)
class _Label:
    """A folder of labels: its task, how it is read, what was found in it, and the arguments of its `Task`."""

    name: str
    maps: str
    note: str
    task: tuple[str, ...]


def write(wanted: Wanted) -> str:
    """The recipe's text.

    Raises:
        InputError: a folder is missing, an array cannot be read, or no folder, or one that is named, holds labels.
    """
    folders = label_folders(wanted.source)
    train, images = wanted.source / "train", wanted.source / "train" / "image"
    for name in wanted.targets or ():
        if name not in folders:
            raise InputError(f"{train}: {no_such('folder of labels', name, folders)}")
    chosen = list(wanted.targets or folders)
    if not chosen:
        raise InputError(f"{train}: holds no folder of labels (0.npy, 1.npy, ...) beside image")
    labels = [_label(train / name) for name in chosen]
    height, width = _size(images)
    backbone = for_pictures(wanted.backbone, wanted.out, "(3, *SIZE)", dense=True)
    num_pictures = len(list_arrays(images))
    left = [name for name in folders if name not in chosen]
    return "".join(
        [
            body.page(wanted.out.name),
            body.imports(_IMPORTS, backbone, names=("Task",)),
            f"\nFOLDER = {folder_of(wanted.source, wanted.out)}\n",
            comment(
                "Pictures and labels are resized to this height and width, multiples of 32. Larger costs more time."
            )
            + "\n",
            f"SIZE = ({height}, {width})\n\n",
            comment(f"Read from up to {_MOST_READ} arrays of each folder in train; check it.") + "\n",
            "LABELS: dict[str, ClassMaps | NumberMaps] = {\n",
            *(f"{comment(one.note, 4)}\n    {quoted(one.name)}: {one.maps},\n" for one in labels),
            "}\n",
            *(comment(f"Left out: {quoted(name)}") + "\n" for name in left),
            "\nTASKS = [\n",
            *(f"    {call('Task', one.task, 4)},\n" for one in labels),
            "]\n",
            body.experiment(
                ["NpyLayout", "root=FOLDER", "labels=LABELS", "resize=Resize(SIZE)"],
                backbone,
                num_training=round(0.95 * num_pictures),
                steps=150,
                most_batch=8,
                fields="        tasks=TASKS,\n",
            ),
        ]
    )


def label_folders(source: Path) -> list[str]:
    """The names of the folders of arrays beside the pictures; InputError if there are no pictures."""
    images = require_folder(source / "train" / "image", "the folder of pictures")
    beside = (path for path in images.parent.iterdir() if path.is_dir() and path != images)
    return sorted(path.name for path in beside if list_arrays(path))


def _label(folder: Path) -> _Label:
    """What the labels in a folder are, by the values of some of its arrays."""
    arrays = _some(folder)
    values = np.concatenate([array.reshape(-1) for array in arrays])
    low, high = values.min(), values.max()
    name, path = task_name(folder.name), quoted(folder.name)
    if arrays[0].ndim == 2 and (values == np.round(values)).all():
        number = int(values[~np.isin(values, _IGNORED)].max(initial=1)) + 1
        return _Label(
            name,
            f"ClassMaps({path}, {number})",
            f"Whole numbers from {low:g} to {high:g}: {number} classes; {_IGNORED[0]} and {_IGNORED[1]} are ignored.",
            _task(name, number, "cross_entropy", "mean_iou", "accuracy"),
        )
    if arrays[0].ndim != 3:
        raise InputError(
            f"{folder}: holds arrays of shape {list(arrays[0].shape)}; labels are whole numbers [H, W] (classes) or "
            "floats [H, W, channels]; move it away, or name the other folders as `targets`"
        )
    channels = arrays[0].shape[-1]
    lengths = np.concatenate([np.linalg.norm(array, axis=-1).reshape(-1) for array in arrays])
    if channels == 3 and ((lengths < 1e-3) | (abs(lengths - 1) < 1e-2)).all():
        note = "Vectors of length 1, and zeros where there are none: surface normals."
        kind, task = "normals", _task(name, 3, "normals_cosine", "mean_angle")
    elif channels == 1 and low >= 0 and "dep" in folder.name.lower():
        note = f"{low:g} to {high:g}: depth, with 0 where it is not known. Inverse depth has the kind inverse_depth."
        kind, task = "depth", _task(name, 1, "depth_l1", "depth_rmse", "abs_rel")
    else:
        note = f"{channels} numbers for every pixel, from {low:g} to {high:g}."
        kind, task = "values", _task(name, channels, "l1", "mae", "rmse")
    return _Label(name, f'NumberMaps({path}, {channels}, "{kind}")', note, task)


def _task(name: str, num_outputs: int, loss: str, *metrics: str) -> tuple[str, ...]:
    measured = ", ".join(map(quoted, metrics)) + ("," if len(metrics) == 1 else "")
    return (
        f"name={quoted(name)}",
        f"num_outputs={num_outputs}",
        f"loss={quoted(loss)}",
        f"metrics=({measured})",
        "dense=True",
    )


def _some(folder: Path) -> list[Array]:
    names = sorted(list_arrays(folder))
    return [read_npy(folder / f"{name}.npy") for name in names[:: -(-len(names) // _MOST_READ)]]


def _size(images: Path) -> tuple[int, int]:
    """The size of the first picture in multiples of 32; 256 at most for the longer side."""
    names = sorted(list_arrays(images))
    if not names:
        raise InputError(f"{images}: holds no pictures; they have to be 0.npy, 1.npy, ...")
    shape = read_npy(images / f"{names[0]}.npy").shape
    if len(shape) != 3:
        raise InputError(f"{images}: holds arrays of shape {list(shape)}; pictures are [H, W, 3]")
    scale = min(1.0, _MOST_SIDE / max(shape[:2]))
    height, width = (max(32 * round(side * scale / 32), 32) for side in shape[:2])
    return height, width
