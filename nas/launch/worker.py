"""What happens on a worker: the recipe is imported there, and one trial is run in its folder."""

import contextlib
import socket
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from nas.errors import InputError, StorageFailed
from nas.launch.run_storage import RunStorage
from nas.recipe import Experiment, changed_modules, load_recipe, recipe_hash
from nas.run import (
    Outcome,
    RunFolder,
    Trial,
    TrialFailure,
    TrialResult,
    describe_failure,
    resolve_device,
    use_threads,
    write_outcome,
)
from nas.run.outcome import Cause
from nas.run.search_trial import OnEpoch

SearchTrial = Callable[[Experiment, Trial, RunFolder, torch.device, OnEpoch], TrialResult]
"""`nas.run.search_trial.run_trial`, or a stand-in for it."""


@dataclass(frozen=True)
class Assignment:
    """All that a worker is told of a run, as plain data.

    Args:
        recipe: its full path on the machine of the driver.
        relative: the same below the driver's working folder, which Ray brings to the workers of a submitted job.
        sha256: of the recipe's text, so that no machine works on another version.
        modules: the same of the local modules that it imports, by name (`nas.recipe.module_hashes`).
        run: the run folder, as the driver sees it.
        storage: a URI, and the name of the run below it; None where all machines see the run folder.
    """

    recipe: str
    relative: str | None
    sha256: str
    overrides: Mapping[str, Any]
    run: str
    num_threads: int
    storage: tuple[str, str] | None = None
    modules: Mapping[str, str] = field(default_factory=dict)


def train(assignment: Assignment, search: SearchTrial, config: Mapping[str, Any]) -> None:
    """The trainable: runs a trial from its last checkpoint, reports every epoch to Tune, and at the end the outcome.

    A failure that would happen again on any machine is an outcome; others are raised, so that Tune tries again.
    """
    from ray import tune

    trial = Trial(**config["trial"])
    with trial_folder(assignment, trial) as (run, save):
        folder = run.trial(trial.number)
        outcome: Outcome
        with output_into(folder.path / "output.txt"):
            try:
                experiment = trial.experiment(load_experiment(assignment))
                use_threads(assignment.num_threads)
                tune.report({"num_epochs": experiment.num_epochs, "epochs_done": folder.epochs_done})
                report = _reporter(experiment.num_epochs, save)
                outcome = search(experiment, trial, run, resolve_device(experiment.device), report)
            except Exception as error:
                traceback.print_exc()
                cause, reason = describe_failure(error)
                if cause not in ("input", "work"):
                    with contextlib.suppress(StorageFailed):
                        save()
                    raise TrialFailed(cause, reason) from error
                outcome = TrialFailure(cause=cause, reason=reason)
                write_outcome(folder.path, outcome)
            # Not when Tune has stopped the trial: the driver writes its outcome.
            save()
    tune.report({"outcome": outcome.model_dump()})


class TrialFailed(RuntimeError):
    """A failure that another attempt may not have; it travels to the driver, so it holds text alone."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(cause, reason)
        self.cause: Cause = cause
        self.reason = reason


def load_experiment(assignment: Assignment) -> Experiment:
    """The run's experiment, from the recipe as this machine has it."""
    here = [Path(path) for path in (assignment.relative, assignment.recipe) if path is not None]
    found = [path for path in here if path.is_file()]
    if not found:
        raise InputError(
            f"{assignment.recipe}: not on the worker {socket.gethostname()}; use a shared disk, or `nas submit`"
        )
    same = [path for path in found if recipe_hash(path) == assignment.sha256]
    if not same:
        raise InputError(f"{found[0]}: another recipe on the worker {socket.gethostname()} than on the driver")
    experiment = load_recipe(same[0], assignment.overrides)
    if changed := changed_modules(same[0], assignment.modules):
        raise InputError(
            f"{same[0]}: imports {', '.join(changed)}, of another text on the worker {socket.gethostname()} than when "
            "the driver began; let all machines have the same files, and do not edit them while a run uses them"
        )
    return experiment


@contextlib.contextmanager
def trial_folder(assignment: Assignment, trial: Trial) -> Iterator[tuple[RunFolder, Callable[[], None]]]:
    """The run folder as this machine has it, and a function that brings the trial's files to where they are kept."""
    if assignment.storage is None:
        run = RunFolder(Path(assignment.run))
        run.trial(trial.number).make()
        yield run, lambda: None
        return
    storage = RunStorage(*assignment.storage)
    with tempfile.TemporaryDirectory(prefix="nas-trial-") as scratch:
        run = RunFolder(Path(scratch))
        folder = run.trial(trial.number)
        storage.download_trial(trial.number, folder.path)
        folder.make()
        yield run, lambda: storage.upload_trial(trial.number, folder.path)


@contextlib.contextmanager
def output_into(path: Path) -> Iterator[None]:
    """Append what is printed, by the recipe or a library, to a file of the trial."""
    with path.open("a") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        yield


def _reporter(num_epochs: int, save: Callable[[], None]) -> OnEpoch:
    """What is done after each epoch of a trial: its files are kept, and Tune hears of it."""
    from ray import tune

    def on_epoch(record: dict[str, Any]) -> None:
        save()
        epoch = record["epoch"] + 1
        # A scheduler that stopped a trial after its last epoch would save nothing.
        score = _score(record) if epoch < num_epochs else {}
        tune.report({"record": record, "epoch": epoch, **score})

    return on_epoch


def _score(record: Mapping[str, Any]) -> dict[str, float]:
    """What a scheduler compares trials by; there is none in the warm-up."""
    losses = record.get("architecture")
    return {"score": -losses["total"]} if losses else {}
