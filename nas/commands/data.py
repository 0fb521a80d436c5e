"""`nas data`: a sheet of samples with their labels."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.commands.opening import Recipe, open_experiment
from nas.data import SPLITS, DataSource, DigitPairs, SplitName
from nas.data.scenes import Scenes
from nas.errors import InputError
from nas.experiment import Experiment, build_data
from nas.tasks import Task, digit_tasks, scene_tasks

SOURCES: dict[str, tuple[Callable[[], DataSource], Callable[[], Sequence[Task]]]] = {
    "digits": (DigitPairs, digit_tasks),
    "scenes": (Scenes, scene_tasks),
}
"""Data that need no files, by name, with their tasks."""


def data_sheet(
    source: Recipe,
    out: str | Path,
    *,
    split: SplitName = "train",
    num_samples: int = 8,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """Draw samples with their labels into a picture.

    Args:
        source: a recipe or an Experiment, whose data are shown; or a name in `SOURCES`.
        out: a png, svg or pdf.
        changes: fields of a recipe to change.

    Raises:
        InputError: no such recipe, name or split, or an unknown suffix.
    """
    if split not in SPLITS:
        raise InputError(f"there is no split {split!r}; splits are {', '.join(SPLITS)}")
    from nas.report import sample_sheet, save_figure

    data, tasks = _open(source, changes or {})
    save_figure(sample_sheet(data.split(split), tasks, num_samples), Path(out))
    return Path(out)


def _open(source: Recipe, changes: Mapping[str, Any]) -> tuple[DataSource, Sequence[Task]]:
    if isinstance(source, Experiment) or Path(source).suffix == ".py":
        experiment = open_experiment(source, changes)
        return build_data(experiment), experiment.tasks
    if str(source) not in SOURCES:
        raise InputError(f"{source}: neither a recipe (*.py) nor one of {', '.join(SOURCES)}")
    if changes:
        raise InputError(f"--set changes a recipe's fields, and {source} is none")
    make_data, make_tasks = SOURCES[str(source)]
    return make_data(), make_tasks()
