"""`nas data`: a sheet of samples with their labels."""

from pathlib import Path

from nas.commands.opening import Recipe, open_experiment
from nas.data import SPLITS, SplitName
from nas.errors import InputError
from nas.experiment import build_data


def data_sheet(recipe: Recipe, out: str | Path, *, split: SplitName = "train", num_samples: int = 8) -> Path:
    """Draw samples of an experiment's data with their labels into a picture (png, svg or pdf)."""
    if split not in SPLITS:
        raise InputError(f"there is no split {split!r}; splits are {', '.join(SPLITS)}")
    from nas.report import sample_sheet, save_figure

    experiment = open_experiment(recipe)
    figure = sample_sheet(build_data(experiment).split(split), experiment.tasks, num_samples)
    save_figure(figure, Path(out))
    return Path(out)
