"""Trains the trees of a measured search in parallel: some as tasks of Ray, one in the trial's own process."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.errors import InputError, WorkFailed
from nas.files import write_bytes_atomically
from nas.launch.session import Resources
from nas.run import RunFolder, Trial, build_data, describe_failure, resolve_device, use_threads
from nas.run.evaluator import RunEvaluator, evaluate_tree
from nas.run.retraining import TreeTraining
from nas.strategies.evaluator import Evaluation, Request
from nas.tree import BranchTree

if TYPE_CHECKING:
    from nas.launch.worker import Assignment

Files = Mapping[str, bytes]
"""The files of one training's folder, by their path in it."""


@dataclass(frozen=True)
class RayEvaluator:
    """Trains as many trees at a time as the cluster has room for beside this trial, and one in this process.

    The files of a training travel with its task, so that workers need neither the run folder nor a storage. If a worker
    is lost, its task starts again where the training stood when it was sent.

    Args:
        own: trains in this process, and knows the trainings' folders.
        needed: the resources of a trial, which a task reserves, too.
    """

    own: RunEvaluator
    assignment: "Assignment"
    trial: Trial
    needed: Resources

    @property
    def num_epochs(self) -> int:
        return self.own.num_epochs

    def teachers(self, tree: BranchTree) -> Sequence[BranchTree]:
        return self.own.teachers(tree)

    def seconds_per_epoch(self, tree: BranchTree) -> float:
        return self.own.seconds_per_epoch(tree)

    def train(self, requests: Sequence[Request]) -> list[Evaluation]:
        import ray

        left = [request for request in requests if not self.own.has(request)]
        sent = left[1 : 1 + self._free_slots()]
        # The default strategy takes resources of the cluster. Otherwise a task would need some of this trial's own.
        task = ray.remote(
            num_cpus=self.needed.cpus,
            num_gpus=self.needed.gpus,
            max_retries=_RETRIES,
            scheduling_strategy="DEFAULT",
        )(train_in_task)
        results = [
            task.remote(self.assignment, self.trial, request, read_files(self.own.training(request.tree).folder))
            for request in sent
        ]
        for request in left:
            if request not in sent:
                self.own.train([request])
        for request, result in zip(sent, ray.get(results), strict=True):
            if isinstance(result, tuple):
                cause, reason = result
                raise (InputError if cause == "input" else WorkFailed)(reason)
            write_files(self.own.training(request.tree).folder, result)
        return self.own.train(requests)

    def _free_slots(self) -> int:
        """How many more trainings the cluster has room for now. A task that had to wait could wait for this trial."""
        import ray

        free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
        cpus = free.get("CPU", 0.0) / self.needed.cpus if self.needed.cpus else float("inf")
        gpus = free.get("GPU", 0.0) / self.needed.gpus if self.needed.gpus else float("inf")
        return int(min(cpus, gpus, _MOST))


_RETRIES = 3
"""How often Ray starts a task again whose worker was lost."""

_MOST = 1024


def train_in_task(assignment: "Assignment", trial: Trial, request: Request, files: Files) -> Files | tuple[str, str]:
    """Train a tree in a temporary run folder; returns the training's files, or cause and reason of a failure."""
    from nas.launch.worker import load_experiment

    try:
        experiment = trial.experiment(load_experiment(assignment))
        use_threads(assignment.num_threads)
        with tempfile.TemporaryDirectory(prefix="nas-training-") as scratch:
            run = RunFolder(Path(scratch))
            training = TreeTraining(run, experiment, request.tree, experiment.seed, "fresh")
            write_files(training.folder, files)
            device = resolve_device(experiment.device)
            evaluate_tree(training, request.num_epochs, build_data(experiment), device)
            return read_files(training.folder)
    except Exception as error:
        cause, reason = describe_failure(error)
        if cause not in ("input", "work"):
            raise
        return cause, reason


def read_files(folder: Path) -> Files:
    """The files of a training's folder; none if it does not exist."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_files(folder: Path, files: Files) -> None:
    """Replace a training's folder, file by file; the record of its epochs comes last."""
    for name in sorted(files, key=lambda name: name == "metrics.jsonl"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(path, files[name])
    for name in read_files(folder).keys() - files.keys():
        (folder / name).unlink()
