"""Opening what a command is given: a recipe, an experiment, or a run together with its recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from nas.errors import InputError
from nas.experiment import (
    Experiment,
    RunFolder,
    describe,
    describe_environment,
    load_recipe,
    recipe_hash,
    resolve_device,
    use_threads,
)

Recipe = str | Path | Experiment


def open_experiment(recipe: Recipe, changes: Mapping[str, Any] | None = None) -> Experiment:
    """The experiment of a recipe file, or the one given, with changes applied."""
    if isinstance(recipe, Experiment):
        return recipe.with_fields(dict(changes or {}))
    return load_recipe(Path(recipe), changes)


@dataclass(frozen=True)
class OpenRun:
    """A run folder, its experiment, and the device it computes on; torch's threads are set for it.

    Other processes make the experiment again from the recipe, None without a file, and all that is changed in it.
    """

    folder: RunFolder
    experiment: Experiment
    device: torch.device
    recipe: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)


def new_run(
    recipe: Recipe, path: Path, changes: Mapping[str, Any] | None = None, *, elsewhere: bool = False
) -> OpenRun:
    """An experiment and the folder of a run that has not begun; nothing is written.

    Args:
        elsewhere: other machines do the work, so this one need not have the experiment's device.

    Raises:
        InputError: a bad recipe or change, a device that is not there, a folder that is neither new nor empty.
    """
    experiment = open_experiment(recipe, changes)
    folder = RunFolder(path)
    folder.require_new()
    use_threads(experiment.num_threads)
    device = resolve_device("auto" if elsewhere else experiment.device)
    return OpenRun(folder, experiment, device, _file(recipe), dict(changes or {}))


def begin_run(
    run: OpenRun, recipe: Recipe, changes: Mapping[str, Any] | None = None, *, num_threads: int | None = None
) -> None:
    """Make a new run's folder and record the experiment in it; `num_threads` if it does not say how many."""
    threads = use_threads(run.experiment.num_threads or num_threads)
    environment = describe_environment(seed=run.experiment.seed, num_threads=threads, device=run.device)
    source = None if isinstance(recipe, Experiment) else Path(recipe)
    run.folder.begin(run.experiment, source, changes or {}, environment)


def open_run(
    path: str | Path,
    *,
    recipe: Recipe | None = None,
    changes: Mapping[str, Any] | None = None,
    allow_changed: bool = False,
    elsewhere: bool = False,
) -> OpenRun:
    """An existing run with its experiment, from the recipe that its record names or the one given.

    The recipe is imported from where the user keeps it, never from the run folder.

    Args:
        changes: on top of those the run was started with.
        allow_changed: accept a recipe that is not what it was when the run began.
        elsewhere: other machines do the work, so this one need not have the experiment's device.

    Raises:
        InputError: not a run, its recipe is gone, or has changed.
    """
    folder = RunFolder.open(Path(path))
    record = folder.record
    source: Recipe | None = recipe if recipe is not None else record["recipe"]
    if source is None:
        raise InputError(f"{folder.path}: was started without a recipe file; name one with --recipe")
    if recipe is None and not _is_elsewhere(Path(str(source)), folder.path):
        raise InputError(
            f"{folder.path}: names {source} as its recipe, and nothing from a run is executed; use --recipe"
        )
    if not isinstance(source, Experiment) and not Path(source).is_file():
        raise InputError(f"{folder.path}: its recipe {source} is gone; name it with --recipe")
    experiment = open_experiment(source, record["overrides"])
    if not allow_changed:
        _check_unchanged(folder, source, experiment, record)
    if changes:
        experiment = experiment.with_fields(dict(changes))
    use_threads(folder.num_threads)
    device = resolve_device("auto" if elsewhere else experiment.device)
    return OpenRun(folder, experiment, device, _file(source), {**record["overrides"], **(changes or {})})


def _file(recipe: Recipe) -> Path | None:
    return None if isinstance(recipe, Experiment) else Path(recipe).resolve()


def _is_elsewhere(recipe: Path, run: Path) -> bool:
    """Whether a recorded recipe is a full path out of the run, as all that are recorded here."""
    return recipe.is_absolute() and not recipe.resolve().is_relative_to(run.resolve())


def _check_unchanged(folder: RunFolder, source: Recipe, experiment: Experiment, record: Mapping[str, Any]) -> None:
    hash_changed = not isinstance(source, Experiment) and recipe_hash(Path(source)) != record.get("recipe_sha256")
    now, then = describe(experiment), record["experiment"]
    # A field that was not known then is as it was, left out.
    unknown = {name: describe(field.default) for name, field in type(experiment).model_fields.items()}
    changed = sorted(name for name in now if now[name] != then.get(name, unknown[name]))
    if hash_changed or changed:
        what = f"its fields {', '.join(changed)} differ" if changed else "its text differs, though no field does"
        name = "the experiment" if isinstance(source, Experiment) else f"recipe {source}"
        raise InputError(
            f"{folder.path}: {name} has changed since the run began ({what}); "
            "restore it, or accept it with --allow-changed"
        )
