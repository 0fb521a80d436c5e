"""Write the predictions for one sample: arrays in an .npz file, and maps as pictures."""

import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from nas.deploy import ExportedModel, TaskRecord, is_map
from nas.deploy.arrays import unscaled
from nas.deploy.input_files import InputFile, NamedInput
from nas.deploy.pictures import cut_to_picture, in_size
from nas.errors import InputError
from nas.files import write_bytes_atomically

_LONGEST_NAME = 255
"""The longest name of a file, in bytes, on the usual disks."""


def needs_files(tasks: Sequence[TaskRecord]) -> bool:
    """Whether some task's prediction has more than one dimension, so that it does not fit into a row of a table."""
    return any(len(task.shape) > 1 for task in tasks)


def check_names(folder: Path, files: Sequence[InputFile], tasks: Sequence[TaskRecord]) -> None:
    """InputError if two predictions would have the same file name, or overwrite an input, or if a name is too long.

    Args:
        folder: the folder to write into; it need not exist yet.
    """
    folded: Callable[[str], str] = str.casefold if _ignores_case(folder) else str
    if any(file.path.resolve().parent == folder.resolve() for file in files):
        raise InputError(
            f"`out={folder}`: is the folder of the inputs, and predictions have their names; name another folder"
        )
    owners: dict[str, Path] = {}
    for file in files:
        for name in file.names:
            if (other := owners.setdefault(folded(name), file.path)) is not file.path:
                raise InputError(
                    f"{other} and {file.path}: the predictions of both would be called {name}; rename one, or "
                    "predict them into different folders"
                )
        if len({folded(name) for name in file.names}) < len(file.names):
            raise InputError(f"{file.path}: holds two samples whose predictions would have the same name; rename one")
    if not needs_files(tasks):
        return
    longest = max(len(task.name) for task in tasks) + len("..png")
    for file in files:
        for name in file.names:
            # NAME.TASK.png is both a map of the sample NAME and the page of a sample called NAME.TASK.
            for task in tasks:
                page_of = owners.get(folded(f"{name}.{task.name}"))
                if page_of is not None:
                    raise InputError(
                        f"{file.path} and {page_of}: {name}.{task.name}.png would be a map of one and the page of "
                        "the other; rename one"
                    )
            if len(os.fsencode(name)) + longest > _LONGEST_NAME:
                raise InputError(f"{file.path}: {name[:40]}... is too long for a file's name; rename it")


def write_sample(folder: Path, model: ExportedModel, sample: NamedInput, answers: Mapping[str, Tensor]) -> None:
    """Write NAME.npz and, if there are maps, NAME.TASK.png for each and the page NAME.png.

    Maps are cut to the sample's picture and resized to its size; the page shows the input and all predictions.

    Raises:
        MapTooLargeError: a map would be too large in its picture's size; nothing is written.
    """
    maps = {task.name: answers[task.name] for task in model.tasks if is_map(task.kind, answers[task.name])}
    own = dict(answers)
    if (placed := sample.placed) is not None:
        height, width = sample.input.shape[-2:]
        maps = {name: cut_to_picture(answer, placed, (height, width)) for name, answer in maps.items()}
        own |= {task.name: in_size(task, maps[task.name], placed.own) for task in model.tasks if task.name in maps}
    write_bytes_atomically(folder / f"{sample.name}.npz", _npz(own))
    if not maps:
        return
    try:
        from nas.report.prediction import answer_pixels, draw_prediction
        from nas.report.save import save_figure
    except ImportError:
        return
    for task in model.tasks:
        if task.name in maps:
            drawn = _picture(answer_pixels(task, maps[task.name]))
            if placed is not None and drawn.size != placed.own[::-1]:
                way = Image.Resampling.NEAREST if task.kind == "classes" else Image.Resampling.BILINEAR
                drawn = drawn.resize(placed.own[::-1], way)
            write_bytes_atomically(folder / f"{sample.name}.{task.name}.png", _png(drawn))
    picture = None
    if sample.input.ndim == 3:
        pixels = unscaled(sample.input, model.input)
        shown = pixels if pixels.shape[0] == 3 else pixels.mean(0, keepdim=True).expand(3, -1, -1)
        picture = shown.clamp(0, 1).movedim(0, -1).numpy()
    save_figure(draw_prediction(picture, answers, model.tasks), folder / f"{sample.name}.png")


def _ignores_case(folder: Path) -> bool:
    """Whether ``a`` and ``A`` are the same file on the disk of a folder."""
    while not folder.is_dir():
        folder = folder.parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".case") as file:
            path = Path(file.name)
            return path.with_name(path.name.swapcase()).exists()
    except OSError:
        # The write that follows reports what is wrong.
        return False


def _npz(answers: Mapping[str, Tensor]) -> bytes:
    """An .npz file; `numpy.savez` itself would take a task called ``file`` for one of its own arguments."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, answer in answers.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, answer.numpy(), allow_pickle=False)
    return buffer.getvalue()


def _picture(pixels: Any) -> Image.Image:
    return Image.fromarray((255 * pixels).round().astype(np.uint8))


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
