"""The default folders of runs."""

from datetime import datetime
from itertools import chain, count
from pathlib import Path

from nas.errors import InputError
from nas.recipe.load import require_recipe
from nas.run.run_folder import RunFolder


def default_folder(recipe: Path) -> Path:
    """``out/<recipe>/<time>`` beside the recipe, with a number appended if this folder exists already."""
    time = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder = recipe.parent / "out" / recipe.stem
    names = chain([time], (f"{time}_{i}" for i in count(2)))
    return next(folder / name for name in names if not (folder / name).exists())


def latest_unfinished(recipe: Path) -> Path:
    """The default folder of a recipe's latest run whose search is not finished.

    Runs are numbered when they begin, so clock and time zone do not matter. Runs without a number are older.
    """
    require_recipe(recipe)
    folder = recipe.parent / "out" / recipe.stem
    runs = [RunFolder(path.parent) for path in folder.glob("*/experiment.json")]
    for run in sorted(runs, key=lambda run: (run.number, run.path.name), reverse=True):
        # A run of `nas retrain RECIPE --tree FILE` has no search that could be finished.
        retrained_only = (run.path / "retrained").exists() and not (run.path / "trials").exists()
        if not run.finished and not retrained_only:
            return run.path
    raise InputError(f"{folder}: no unfinished run to resume; start one without `resume`")
