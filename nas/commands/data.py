"""`nas data`: draw samples with their labels, or write their inputs as pictures."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from nas.data import SPLITS, DataSource, SplitName, find_pixel_scale
from nas.datasets.dense_tasks import scene_tasks
from nas.datasets.digits import DigitPairs, digit_tasks
from nas.datasets.scenes import Scenes
from nas.deploy import Pixels, as_bytes
from nas.errors import InputError, no_such
from nas.files import make_folder, write_bytes_atomically
from nas.recipe import Experiment
from nas.report.save import check_look
from nas.report.theme import ThemeName
from nas.run import build_data
from nas.run.opened_run import Recipe, open_experiment
from nas.tasks import Task

SOURCES: dict[str, tuple[Callable[[], DataSource], Callable[[], Sequence[Task]]]] = {
    "digits": (DigitPairs, digit_tasks),
    "scenes": (Scenes, scene_tasks),
}
"""Built-in data sets that need no files, with their tasks, by name."""


def data_sheet(
    source: Recipe,
    out: str | Path,
    *,
    split: SplitName = "train",
    num_samples: int = 8,
    changes: Mapping[str, Any] | None = None,
    theme: ThemeName | None = None,
    transparent: bool = False,
) -> Path:
    """Draw samples with their labels into one picture, or write each input as a picture that `nas.predict` reads.

    Args:
        source: a recipe or an Experiment whose data are shown, or a name in `SOURCES`.
        out: a png, svg or pdf file; a name without a suffix is a folder that gets a png of each input.
        changes: fields of a recipe to change.
        theme, transparent: as for `nas.show`.

    Raises:
        InputError: no such recipe, name or split, an unknown suffix, or inputs that are not pictures.
    """
    if split not in SPLITS:
        raise InputError(no_such("split", split, SPLITS))
    look = check_look(out if Path(out).suffix else None, theme, transparent)
    data, tasks = _open(source, changes or {})
    if not Path(out).suffix:
        _write_inputs(data, split, num_samples, Path(out))
        return Path(out)
    from nas.report import sample_sheet, save_figure

    sheet = sample_sheet(data.split(split), tasks, num_samples, theme=look)
    save_figure(sheet, Path(out), transparent=transparent)
    return Path(out)


def _open(source: Recipe, changes: Mapping[str, Any]) -> tuple[DataSource, Sequence[Task]]:
    if isinstance(source, Experiment) or Path(source).suffix == ".py":
        experiment = open_experiment(source, changes)
        return build_data(experiment), experiment.tasks
    if str(source) not in SOURCES:
        raise InputError(f"{source}: is not a recipe (*.py), and {no_such('built-in data set', str(source), SOURCES)}")
    if changes:
        raise InputError(f"only a recipe has fields for `changes`; {source} is a built-in data set")
    make_data, make_tasks = SOURCES[str(source)]
    return make_data(), make_tasks()


def _write_inputs(data: DataSource, split: SplitName, num_samples: int, folder: Path) -> None:
    """Write inputs, evenly spaced over a split, as the pictures that they were made from."""
    pixels = Pixels.of(find_pixel_scale(data))
    if pixels is None or len(pixels.mean) not in (1, 3):
        raise InputError(
            f"`out={folder}`: the data do not say how pixels become inputs; give the data source a pixel_scale "
            "(nas.data.PixelScale), or draw a sheet (`out=FILE.png`)"
        )
    dataset = data.split(split)
    num_samples = min(num_samples, len(dataset))
    make_folder(folder)
    for index in (i * len(dataset) // num_samples for i in range(num_samples)):
        bytes_HWC = as_bytes(dataset[index][0].cpu()[None], pixels)[0].movedim(0, -1)
        buffer = io.BytesIO()
        Image.fromarray(bytes_HWC.squeeze(-1).numpy()).save(buffer, format="PNG")
        write_bytes_atomically(folder / f"{split}-{index:04d}.png", buffer.getvalue())
