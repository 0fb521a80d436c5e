"""`nas predict`: run an exported network on pictures or arrays; predictions are pictures, arrays and a table."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Literal

import torch

from nas.deploy import open_model
from nas.deploy.input_files import InputFile, NamedInput, list_files, look_into
from nas.deploy.pictures import MapTooLargeError, Size
from nas.deploy.time_limit import call_within
from nas.display import Displayed
from nas.errors import InputError, WorkFailed
from nas.files import make_folder, remove_unfinished
from nas.networks.backbone import Backbone
from nas.recipe import Experiment
from nas.report.prediction_files import check_names, needs_files, write_sample
from nas.report.prediction_table import PredictionTable
from nas.run import build_backbone
from nas.run.opened_run import Recipe, open_experiment

ResizedBy = Literal["stretched", "ratio kept", "letterbox"]
"""Stretched to the network's height and width; scaled to its number of pixels; or fitted into its size on grey."""


@dataclass(frozen=True)
class Resized:
    """A picture that was resized for the network: its own height and width, and those that the network saw."""

    name: str
    own: Size
    shown: Size


@dataclass(frozen=True, repr=False)
class Predictions(Displayed):
    """What was written, and how fast the network was.

    Args:
        num_samples: number of samples with predictions.
        seconds: time that the network took, without reading and writing files.
        how: how pictures were resized, if any were.
        resized: the pictures that were resized.
        tables: the files of the table, if there is one.
        left_out: for each file without predictions, or without all of them, what is wrong with it.
    """

    out: Path
    num_samples: int
    seconds: float
    batch_size: int
    num_threads: int
    how: ResizedBy = "stretched"
    resized: tuple[Resized, ...] = ()
    tables: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def samples_per_second(self) -> float:
        return self.num_samples / self.seconds if self.num_samples else 0.0

    def summary(self) -> str:
        return f"{self.num_samples} samples into {self.out}, {self.samples_per_second:.1f} a second"

    def records(self) -> list[dict[str, Any]]:
        """A line for each picture that was resized, and for each file without predictions."""
        resized = [{**asdict(each), "own": str(each.own), "shown": str(each.shown)} for each in self.resized]
        return [*resized, *({"name": name, "left_out": reason} for name, reason in self.left_out.items())]

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "out": str(self.out), "samples_per_second": self.samples_per_second}


def predict(
    file: str | Path,
    inputs: str | Path,
    *,
    out: str | Path,
    batch_size: int = 8,
    letterbox: bool = False,
    recipe: Recipe | None = None,
    changes: Mapping[str, Any] | None = None,
    time_limit: float | None = None,
    on_batch: Callable[[int, int], None] | None = None,
) -> Predictions:
    """Run an exported network on pictures or arrays.

    The name of a sample, NAME, is that of its file. These files are written into ``out``:

    - ``NAME.npz``, if a task's output is a map or another array: each task's prediction (`nas.deploy.answers`), maps
      in the size of the sample's picture;
    - ``NAME.TASK.png``, each map as a picture of that size, and ``NAME.png``, one page with the input and all
      predictions, with scales and legends; these need matplotlib;
    - ``predictions.csv``, if a task has one prediction for a whole sample: a table (`PredictionTable`); and the same
      as ``predictions.parquet`` if pyarrow is installed.

    In a folder, files that cannot be used are left out and reported; hidden files are ignored.

    Args:
        file: a bundle (a folder), a .pt2 or an .onnx of `nas.export`.
        inputs: a picture, an array (.npy, .npz), or a folder of them.
        out: a folder, made if it is missing; files of the same names are replaced. Let one call at a time write there.
        batch_size: how many samples run together, fewer if sizes differ.
        letterbox: fit pictures into the network's size with grey around them, as `nas.data.augmentation.Letterbox`
            does in training. Otherwise they are stretched to it or, where the network takes any size, get as many
            pixels with the ratio of their own sides.
        recipe: the recipe that makes a bundle's backbone, if that is not one of `search_spaces`. It is imported.
        changes: fields of the recipe to change.
        time_limit: seconds after which the work is stopped; it is done in another process. For untrusted files, because
            a network may be a program that never ends. Not together with ``on_batch`` or an Experiment as recipe.
        on_batch: called with the number of finished samples and the number of all samples.

    Raises:
        InputError: the network is refused; the only file cannot be used; two predictions would have the same file name.
        WorkFailed: the network does not run on the only file, or the time limit is reached.
    """
    if batch_size < 1:
        raise InputError(f"`batch_size` must be at least 1; found {batch_size}")
    if changes and recipe is None:
        raise InputError("`changes` needs a recipe; name it with `recipe=FILE`")
    if time_limit is not None:
        if on_batch is not None or isinstance(recipe, Experiment):
            raise InputError("`time_limit` needs another process, so leave `on_batch` out, and let `recipe` be a file")
        return _predict_within(
            time_limit,
            file=file,
            inputs=inputs,
            out=out,
            batch_size=batch_size,
            letterbox=letterbox,
            recipe=recipe,
            changes=changes,
        )
    model, folder = open_model(file, backbone=_backbone(file, recipe, changes)), Path(out)
    files, wrong = look_into(list_files(Path(inputs)), model.input, letterbox=letterbox)
    left_out = _LeftOut(is_folder=Path(inputs).is_dir())
    for path, error in wrong.items():
        left_out.add(path, error)
    check_names(folder, files, model.tasks)
    if files:
        make_folder(folder)
        remove_unfinished(folder)
    table, resized = PredictionTable(model.tasks), []
    total, num_samples, seconds = sum(len(each.names) for each in files), 0, 0.0
    for samples in _batches(_read(files, left_out), batch_size):
        batch = torch.stack([sample.input for sample in samples])
        try:
            if not num_samples:
                model(batch)  # not timed: the first call also allocates memory
            start = time.perf_counter()
            answers = model.answers(batch)
            seconds += time.perf_counter() - start
        except WorkFailed as error:
            # The network may fail for the size of these samples only.
            for sample in samples:
                left_out.add(sample.file, error)
            continue
        kept = []
        for row, sample in enumerate(samples):
            if needs_files(model.tasks):
                try:
                    write_sample(folder, model, sample, {name: answer[row].clone() for name, answer in answers.items()})
                except MapTooLargeError as error:
                    left_out.add(sample.file, InputError(f"{sample.file}: {error}"))
                    continue
            if (placed := sample.placed) is not None and placed.own != placed.shown:
                resized.append(Resized(sample.name, placed.own, placed.shown))
            kept.append(row)
        table.add([samples[row].name for row in kept], {name: answer[kept] for name, answer in answers.items()})
        num_samples += len(kept)
        if on_batch is not None:
            on_batch(num_samples, total)
    return Predictions(
        folder,
        num_samples,
        seconds,
        batch_size,
        torch.get_num_threads(),
        how="letterbox" if letterbox else "ratio kept" if model.input.dynamic_size else "stretched",
        resized=tuple(resized),
        tables=tuple(str(path) for path in table.write(folder)),
        left_out=left_out.reasons,
    )


def _predict_within(seconds: float, *, out: str | Path, **arguments: Any) -> Predictions:
    try:
        return call_within(seconds, predict, out=out, **arguments)
    except WorkFailed:
        if Path(out).is_dir():
            remove_unfinished(out)
        raise


class _LeftOut:
    """Collects what is wrong with files, by path; if there is only one file, its error is raised at once."""

    def __init__(self, is_folder: bool) -> None:
        self.is_folder = is_folder
        self.reasons: dict[str, str] = {}

    def add(self, path: Path, error: InputError | WorkFailed) -> None:
        if not self.is_folder:
            raise error
        self.reasons.setdefault(str(path), str(error).removeprefix(f"{path}: "))


def _backbone(file: str | Path, recipe: Recipe | None, changes: Mapping[str, Any] | None) -> Backbone | None:
    if recipe is None:
        return None
    if not Path(file).is_dir():
        raise InputError(
            f"{file}: holds its own network and needs no `recipe`; bundles, which are folders, may need one"
        )
    return build_backbone(open_experiment(recipe, changes))


def _read(files: Iterable[InputFile], left_out: _LeftOut) -> Iterator[NamedInput]:
    for file in files:
        try:
            yield from file.read()
        except InputError as error:
            left_out.add(file.path, error)


def _batches(samples: Iterator[NamedInput], batch_size: int) -> Iterator[list[NamedInput]]:
    """Consecutive samples of the same shape, at most `batch_size` at a time."""
    for _, alike in groupby(samples, key=lambda sample: tuple(sample.input.shape)):
        while batch := list(islice(alike, batch_size)):
            yield batch
