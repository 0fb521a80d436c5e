"""`nas predict`: an exported network's answers to pictures or arrays, as pictures and as arrays."""

import io
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nas.deploy import ExportedModel, is_map, open_model
from nas.deploy.pictures import NamedInput, list_files, read_inputs, unscaled
from nas.errors import InputError
from nas.files import make_folder, write_bytes_atomically


@dataclass(frozen=True)
class Predictions:
    """What was written, and how fast the network was: ``seconds`` are its own, without files and pictures."""

    out: Path
    num_samples: int
    seconds: float
    batch_size: int
    num_threads: int

    @property
    def samples_per_second(self) -> float:
        return self.num_samples / self.seconds

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "out": str(self.out), "samples_per_second": self.samples_per_second}


def predict(
    file: str | Path,
    inputs: str | Path,
    *,
    out: str | Path,
    batch_size: int = 8,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> Predictions:
    """Run an exported network on pictures or arrays.

    Into ``out`` go, for every sample NAME: ``NAME.npz``, each task's answer (`nas.deploy.answers`); ``NAME.png``, one
    page with the input and all answers, with scales and legends; ``NAME.TASK.png``, each dense answer alone, pixel by
    pixel. Without matplotlib only the arrays are written.

    Args:
        file: a bundle (a folder), a .pt2 or an .onnx of `nas.export`.
        inputs: a picture, an array (.npy, .npz), or a folder of them.
        out: a folder, made if it is missing; files of the same names are replaced.
        batch_size: how many samples run together; fewer where sizes differ.
        on_batch: called with the number of files begun, and of all.

    Raises:
        InputError: a file cannot be read, is refused, or does not fit the network.
    """
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1; found {batch_size}")
    model, files = open_model(file), list_files(Path(inputs))
    folder = Path(out)
    if any(path.parent.resolve() == folder.resolve() for path in files.values()):
        raise InputError(f"--out {folder}: is where the inputs lie, and files of their names are written; name another")
    make_folder(folder)
    num_samples, seconds = 0, 0.0
    for samples in _batches(read_inputs(files, model.input), batch_size):
        batch = torch.stack([sample.input for sample in samples])
        if not num_samples:
            model(batch)  # the first time, memory is laid out
        start = time.perf_counter()
        answers = model.answers(batch)
        seconds += time.perf_counter() - start
        num_samples += len(samples)
        for row, sample in enumerate(samples):
            _write(folder, model, sample, {name: answer[row].clone() for name, answer in answers.items()})
        on_batch(num_samples, len(files))
    return Predictions(folder, num_samples, seconds, batch_size, torch.get_num_threads())


def _batches(samples: Iterator[NamedInput], batch_size: int) -> Iterator[list[NamedInput]]:
    """Neighbours of one shape, at most so many."""
    for _, alike in groupby(samples, key=lambda sample: tuple(sample.input.shape)):
        while batch := list(islice(alike, batch_size)):
            yield batch


def _write(folder: Path, model: ExportedModel, sample: NamedInput, answers: dict[str, Tensor]) -> None:
    write_bytes_atomically(folder / f"{sample.name}.npz", _npz(answers))
    try:
        from nas.report import answer_pixels, draw_prediction, save_figure
    except ImportError:
        return
    for task in model.tasks:
        if is_map(task.kind, answer := answers[task.name]):
            write_bytes_atomically(folder / f"{sample.name}.{task.name}.png", _png(answer_pixels(task, answer)))
    picture = None
    if sample.input.ndim == 3:
        pixels = unscaled(sample.input, model.input)
        shown = pixels if pixels.shape[0] == 3 else pixels.mean(0, keepdim=True).expand(3, -1, -1)
        picture = shown.clamp(0, 1).movedim(0, -1).numpy()
    save_figure(draw_prediction(picture, answers, model.tasks), folder / f"{sample.name}.png")


def _npz(answers: Mapping[str, Tensor]) -> bytes:
    """As numpy's own function writes it, which would take a task's name for one of its arguments."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, answer in answers.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, answer.numpy(), allow_pickle=False)
    return buffer.getvalue()


def _png(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray((255 * pixels).round().astype(np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()
