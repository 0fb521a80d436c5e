"""Open a recipe, or a run folder together with its recipe, and find the tree that a command works on."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from nas.errors import InputError
from nas.recipe import Experiment, complete, load_recipe
from nas.run.begun_here import require_begun_here
from nas.run.environment import describe_environment, resolve_device, use_threads
from nas.run.named_trees import is_tree_name, named_tree
from nas.run.parts import measure_parts
from nas.run.run_folder import RunFolder, plain_changes
from nas.run.unchanged import MeasuredOnce, require_unchanged
from nas.tree import BranchTree

_LOGGER = logging.getLogger(__name__)

Recipe = str | Path | Experiment


def open_experiment(recipe: Recipe, changes: Mapping[str, Any] | None = None) -> Experiment:
    """The experiment of a recipe file, or the given Experiment, with changes applied."""
    if isinstance(recipe, Experiment):
        return complete(recipe, changes)
    return load_recipe(Path(recipe), changes)


@dataclass(frozen=True)
class OpenRun:
    """A run folder with its experiment and the device it computes on; torch's number of threads is set for it.

    Args:
        recipe: the recipe file, which other processes read to make the experiment again; None without a file.
        overrides: all changes of the recipe's fields, for the same purpose.
        measure: returns the costs of an experiment; it remembers those that were measured when the run was opened.
        resumed: whether the run existed before.
    """

    folder: RunFolder
    experiment: Experiment
    device: torch.device
    recipe: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    measure: MeasuredOnce = field(default_factory=MeasuredOnce)
    resumed: bool = False


def new_run(
    recipe: Recipe, path: Path, changes: Mapping[str, Any] | None = None, *, on_cluster: bool = False
) -> OpenRun:
    """Open an experiment and the folder for a new run; nothing is written.

    Args:
        on_cluster: other machines do the work, so this machine need not have the experiment's device.

    Raises:
        InputError: a bad recipe or change, a missing device, or a folder that is neither new nor empty.
    """
    experiment = open_experiment(recipe, changes)
    folder = RunFolder(path)
    folder.require_new()
    use_threads(experiment.num_threads)
    device = resolve_device("auto" if on_cluster else experiment.device)
    return OpenRun(folder, experiment, device, _file(recipe), dict(changes or {}))


def begin_run(
    run: OpenRun, recipe: Recipe, changes: Mapping[str, Any] | None = None, *, num_threads: int | None = None
) -> None:
    """Make a new run's folder and record the experiment in it; `num_threads` is for an experiment that sets none."""
    threads = use_threads(run.experiment.num_threads or num_threads)
    environment = describe_environment(seed=run.experiment.seed, num_threads=threads, device=run.device)
    source = None if isinstance(recipe, Experiment) else Path(recipe)
    run.folder.begin(run.experiment, source, changes or {}, environment)


def warn_of_new_start(path: Path, changes: Mapping[str, Any]) -> None:
    """Warn that `resume` starts a new run, and with which changes: those of an earlier command are not known."""
    kept = ", ".join(f"{name}={json.dumps(value)}" for name, value in plain_changes(changes).items())
    _LOGGER.warning(
        "%s: no run to resume; starting a new one, %s; what an earlier command set with `changes` is lost",
        path,
        f"with {kept}" if kept else "with the recipe as it is",
    )


def open_run(
    path: str | Path,
    *,
    recipe: Recipe | None = None,
    changes: Mapping[str, Any] | None = None,
    allow_changed: bool = False,
    on_cluster: bool = False,
) -> OpenRun:
    """Open an existing run with its experiment, from the given recipe or else the one in the run's record.

    The recipe in the record is imported only if this user began the run with it, on this machine.

    Args:
        changes: changes in addition to those that the run was started with.
        allow_changed: accept a recipe that has changed since the run began (`require_unchanged`).
        on_cluster: other machines do the work, so this machine need not have the experiment's device.

    Raises:
        InputError: not a run, or its recipe does not exist, has changed, or may not be this user's.
    """
    folder = RunFolder.open(Path(path))
    record = folder.record
    source: Recipe | None = recipe if recipe is not None else record["recipe"]
    if source is None:
        raise InputError(f"{folder.path}: was started without a recipe file; name one with `recipe=FILE`")
    if recipe is None:
        require_begun_here(folder.path, record.get("id"), record["recipe"])
    if not isinstance(source, Experiment) and not Path(source).is_file():
        raise InputError(f"{folder.path}: its recipe {source} is gone; name it with `recipe=FILE`")
    experiment = open_experiment(source, record["overrides"])
    measure = MeasuredOnce()
    if not allow_changed:
        require_unchanged(folder, source, experiment, record, measure)
    if changes:
        experiment = experiment.with_fields(dict(changes))
    use_threads(folder.num_threads)
    device = resolve_device("auto" if on_cluster else experiment.device)
    overrides = {**record["overrides"], **(changes or {})}
    return OpenRun(folder, experiment, device, _file(source), overrides, measure, resumed=True)


def find_tree(run: OpenRun, name: str | Path | None) -> BranchTree:
    """A tree by its id or the beginning of it (in the run), by file, or by name (`named_tree`).

    Without a name, the tree that the run recommends, or the only tree that was retrained.

    Raises:
        InputError: there is no such tree, or several trees match.
    """
    if name is not None and is_tree_name(str(name)):
        return named_tree(str(name), measure_parts(run.experiment).table, run.experiment.goal.resource)
    return run.folder.find_tree(None if name is None else str(name))


def _file(recipe: Recipe) -> Path | None:
    return None if isinstance(recipe, Experiment) else Path(recipe).resolve()
