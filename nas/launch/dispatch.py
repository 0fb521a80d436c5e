"""Run one search or training in this process, or in several processes that share every batch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.data import DataSource
from nas.errors import InputError
from nas.recipe import Experiment, module_hashes, recipe_hash
from nas.run import TrainedNetwork, TreeTraining, Trial, trial_threads
from nas.run.opened_run import OpenRun

if TYPE_CHECKING:
    from nas.launch.rank import Job
    from nas.launch.worker import Assignment

OnEpoch = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Progress:
    """Which training of several begins, and how many there are."""

    index: int
    total: int
    name: str
    training: TreeTraining


def check_processes(experiment: Experiment, without_recipe: bool, address: str | None = None) -> None:
    """InputError unless the experiment's processes can be started; called before anything is written."""
    if experiment.processes == 1:
        return
    if without_recipe:
        raise InputError(
            f"processes={experiment.processes}: every process imports the recipe, so put the "
            "Experiment into a recipe file"
        )
    from nas.launch.processes import check_processes_can_run

    check_processes_can_run(experiment, address)


def search_on_processes(run: OpenRun, trial: Trial, address: str | None, on_epoch: OnEpoch) -> dict[str, Any]:
    """Search a trial on the experiment's processes; returns its result as plain values."""
    from nas.launch.rank import TrialJob

    return _share(run, trial.experiment(run.experiment), TrialJob(trial.to_dict()), address, on_epoch)


def train_tree(
    run: OpenRun,
    training: TreeTraining,
    data: DataSource | None,
    on_epoch: OnEpoch = lambda _: None,
    address: str | None = None,
) -> TrainedNetwork:
    """Train a tree's network from its last checkpoint; the result of a finished training is only read.

    Args:
        run: the run that the training belongs to.
        data: the data, for a training in this process; several processes build their own.
        address: address of a Ray cluster that has the run folder on a shared disk; by default, processes run on this
            machine.
    """
    if training.finished:
        return training.result()
    if training.experiment.processes == 1:
        assert data is not None
        return training.train(data, run.device, on_epoch)
    from nas.launch.rank import TrainingJob

    training.check()
    job = TrainingJob(training.tree.to_dict(), training.seed, training.start)
    changes = run.folder.changes_of(training.tree)
    return TrainedNetwork.model_validate(_share(run, training.experiment, job, address, on_epoch, changes))


def assign(run: OpenRun, num_threads: int, changes: dict[str, Any] | None = None) -> "Assignment":
    """What other processes need to know about a run; its recipe must be a file."""
    from nas.launch.worker import Assignment

    assert run.recipe is not None
    uri, here = run.experiment.trials.storage_uri, Path.cwd()
    return Assignment(
        recipe=str(run.recipe),
        relative=str(run.recipe.relative_to(here)) if run.recipe.is_relative_to(here) else None,
        sha256=recipe_hash(run.recipe),
        overrides={**run.overrides, **(changes or {})},
        run=str(run.folder.path.resolve()),
        num_threads=num_threads,
        storage=None if uri is None else (uri, run.folder.path.resolve().name),
        modules=module_hashes(run.recipe),
    )


def _share(
    run: OpenRun,
    experiment: Experiment,
    job: "Job",
    address: str | None,
    on_epoch: OnEpoch,
    changes: dict[str, Any] | None = None,
) -> dict[str, Any]:
    from nas.launch.processes import run_on_processes

    # A resumed run may be on another machine than the one that began it.
    check_processes(experiment, run.recipe is None, address)
    return run_on_processes(
        experiment,
        job,
        assign(run, trial_threads(experiment), changes),
        address=address,
        log_folder=run.folder.path / "logs",
        on_epoch=on_epoch,
    )
