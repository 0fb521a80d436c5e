"""The work of one process among several that share every batch: import the recipe and do one job."""

import contextlib
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from nas.engine import Ranks
from nas.launch.worker import Assignment, load_experiment, output_into, trial_folder
from nas.recipe import Experiment
from nas.run import RunFolder, Start, TreeTraining, Trial, build_data, describe_failure, locked_folder, use_threads
from nas.run.outcome import Cause
from nas.run.search_trial import OnEpoch, run_trial
from nas.tree import BranchTree


@dataclass(frozen=True)
class TrialJob:
    """The search of one trial, described by plain data (`Trial.to_dict`); its result is the trial's."""

    trial: Mapping[str, Any]

    @contextlib.contextmanager
    def folder(self, assignment: Assignment) -> Iterator[tuple[RunFolder, Callable[[], None]]]:
        """The run folder for rank 0, and a function that copies the trial's files to the storage, if there is one."""
        trial = Trial(**self.trial)
        with trial_folder(assignment, trial) as (run, save), output_into(run.trial(trial.number).path / "output.txt"):
            yield run, save

    def run(
        self, whole: Experiment, run: RunFolder, device: torch.device, on_epoch: OnEpoch, ranks: Ranks
    ) -> dict[str, Any]:
        trial = Trial(**self.trial)
        return run_trial(trial.experiment(whole), trial, run, device, on_epoch, ranks=ranks).model_dump()


@dataclass(frozen=True)
class TrainingJob:
    """The training of a tree's network, described by plain data (`BranchTree.to_dict`), with the same result."""

    tree: Mapping[str, Any]
    seed: int
    start: Start

    @contextlib.contextmanager
    def folder(self, assignment: Assignment) -> Iterator[tuple[RunFolder, Callable[[], None]]]:
        """The run folder, which must be on this machine's disk or a shared disk."""
        run = RunFolder.open(Path(assignment.run))
        with output_into(run.path / "logs" / "output.txt"):
            yield run, lambda: None

    def run(
        self, whole: Experiment, run: RunFolder, device: torch.device, on_epoch: OnEpoch, ranks: Ranks
    ) -> dict[str, Any]:
        training = TreeTraining(run, whole, BranchTree.from_dict(dict(self.tree)), self.seed, self.start)
        # A command that was killed no longer holds the run's lock, but its processes may still be training here.
        with locked_folder(training.folder, "training"):
            return training.train(build_data(training.experiment), device, on_epoch, ranks).to_dict()


Job = TrialJob | TrainingJob


def work(assignment: Assignment, job: Job, events: Any) -> None:
    """Do one rank's part of a job, in the process group that Ray Train has made.

    Rank 0 works in the run folder. The other ranks get an empty temporary folder, and receive what they need from
    rank 0.

    Args:
        events: a queue of Ray. Rank 0 puts ``("epoch", record)`` and ``("result", plain values)`` into it; any rank
            that fails puts ``("failure", (cause, reason))``.
    """
    from ray.train.torch import get_device

    try:
        use_threads(assignment.num_threads)
        ranks = Ranks.from_process_group(get_device())
        with _folder(assignment, job, ranks) as (run, save):

            def on_epoch(record: dict[str, Any]) -> None:
                save()
                events.put(("epoch", record))

            try:
                experiment = load_experiment(assignment)
                report = on_epoch if ranks.is_first else _ignore
                result = job.run(experiment, run, ranks.device, report, ranks)
            except Exception:
                traceback.print_exc()
                raise
            finally:
                save()
        if ranks.is_first:
            events.put(("result", result))
    except Exception as error:
        events.put(("failure", _describe(error)))
        # Raised, so that Ray Train ends the whole group: the others would wait for this rank.
        raise


LOST: Cause = "machine"
LOST_REASON = "a process of the group was lost, perhaps with its machine or for want of memory"


@contextlib.contextmanager
def _folder(assignment: Assignment, job: Job, ranks: Ranks) -> Iterator[tuple[RunFolder, Callable[[], None]]]:
    if ranks.is_first:
        with job.folder(assignment) as found:
            yield found
        return
    with tempfile.TemporaryDirectory(prefix="nas-rank-") as scratch:
        yield RunFolder(Path(scratch)), lambda: None


def _ignore(record: dict[str, Any]) -> None:
    """Does nothing: rank 0 reports the epoch."""


def _describe(error: Exception) -> tuple[Cause, str]:
    # gloo raises a plain RuntimeError if a peer is lost.
    if isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error)):
        return LOST, LOST_REASON
    return describe_failure(error)
