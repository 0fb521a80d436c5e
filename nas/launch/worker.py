"""The work of one worker: import the recipe and run one trial in its folder."""

import contextlib
import socket
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from nas.errors import InputError, StorageFailed
from nas.launch.evaluations import RayEvaluator
from nas.launch.run_storage import RunStorage
from nas.launch.session import Resources
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

SearchTrial = Callable[..., TrialResult]
"""`nas.run.search_trial.run_trial`, or a replacement for it in tests."""


@dataclass(frozen=True)
class Assignment:
    """All that a worker needs to know about a run, as plain data.

    Args:
        recipe: the recipe's full path on the driver's machine.
        relative: the same path relative to the driver's working folder, which Ray copies to the workers of a submitted
            job; None if the recipe is not in that folder.
        sha256: hash of the recipe's text, so that all machines use the same version.
        overrides: changes of the recipe's fields.
        run: the path of the run folder on the driver's machine.
        num_threads: number of threads of torch.
        storage: a URI, and the name of the run below it; None if all machines have the run folder on a shared disk.
        modules: hashes of the local modules that the recipe imports, by name (`nas.recipe.module_hashes`).
    """

    recipe: str
    relative: str | None
    sha256: str
    overrides: Mapping[str, Any]
    run: str
    num_threads: int
    storage: tuple[str, str] | None = None
    modules: Mapping[str, str] = field(default_factory=dict)


def train(assignment: Assignment, search: SearchTrial, needed: Resources, config: Mapping[str, Any]) -> None:
    """Tune's trainable: run a trial from its last checkpoint, and report every epoch and the outcome.

    A failure that would happen again on any machine is an outcome; other failures are raised, so that Tune tries again.
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
                evaluate_with = partial(RayEvaluator, assignment=assignment, trial=trial, needed=needed)
                device = resolve_device(experiment.device)
                outcome = search(experiment, trial, run, device, report, evaluate_with=evaluate_with)
            except Exception as error:
                traceback.print_exc()
                cause, reason = describe_failure(error)
                if cause not in ("input", "work"):
                    with contextlib.suppress(StorageFailed):
                        save()
                    raise TrialFailed(cause, reason) from error
                outcome = TrialFailure(cause=cause, reason=reason)
                write_outcome(folder.path, outcome)
            # Not reached if Tune stops the trial; the driver writes the outcome then.
            save()
    tune.report({"outcome": outcome.model_dump()})


class TrialFailed(RuntimeError):
    """A failure that another attempt may avoid. It is pickled and sent to the driver, so it contains only text."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(cause, reason)
        self.cause: Cause = cause
        self.reason = reason


def load_experiment(assignment: Assignment) -> Experiment:
    """The run's experiment, from this machine's copy of the recipe."""
    here = [Path(path) for path in (assignment.relative, assignment.recipe) if path is not None]
    found = [path for path in here if path.is_file()]
    if not found:
        raise InputError(
            f"{assignment.recipe}: not on the worker {socket.gethostname()}; use a shared disk, or nas submit"
        )
    same = [path for path in found if recipe_hash(path) == assignment.sha256]
    if not same:
        raise InputError(f"{found[0]}: the recipe on the worker {socket.gethostname()} differs from the driver's")
    experiment = load_recipe(same[0], assignment.overrides)
    if changed := changed_modules(same[0], assignment.modules):
        raise InputError(
            f"{same[0]}: imports {', '.join(changed)}, which differ on the worker {socket.gethostname()} from the "
            "driver's; let all machines have the same files, and do not edit them while a run uses them"
        )
    return experiment


@contextlib.contextmanager
def trial_folder(assignment: Assignment, trial: Trial) -> Iterator[tuple[RunFolder, Callable[[], None]]]:
    """A run folder on this machine for a trial, and a function that copies the trial's files to the storage, if any."""
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
    """Append the output of the recipe and of libraries to a file."""
    with path.open("a") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        yield


def _reporter(num_epochs: int, save: Callable[[], None]) -> OnEpoch:
    """The function to call after each epoch of a trial: it saves the trial's files and reports to Tune."""
    from ray import tune

    def on_epoch(record: dict[str, Any]) -> None:
        save()
        epoch = record["epoch"] + 1
        # Without a score after the last epoch: stopping a trial then would save no time.
        score = _score(record) if epoch < num_epochs else {}
        tune.report({"record": record, "epoch": epoch, **score})

    return on_epoch


def _score(record: Mapping[str, Any]) -> dict[str, float]:
    """The number by which a scheduler compares trials; the warm-up has none."""
    losses = record.get("architecture")
    return {"score": -losses["total"]} if losses else {}
