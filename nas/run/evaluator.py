"""Trains trees for a search, in its run folder: the evaluator of `nas.strategies.evaluator`, one tree at a time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

from nas.data import DataSource, batches
from nas.files import read_record, write_json_atomically
from nas.recipe.experiment import Experiment
from nas.run.parts import TrialParts, build_network
from nas.run.retraining import TreeTraining
from nas.run.run_folder import RunFolder
from nas.strategies import Problem, Store
from nas.strategies.evaluator import Evaluation, Request
from nas.training import TrainingState
from nas.training.step import train_step
from nas.tree import BranchTree


@dataclass(frozen=True)
class RunEvaluator:
    """Trains in this process. Each tree's training is that of `nas retrain`, stopped early, with the search's seed.

    Args:
        run: the run folder.
        place: the folder for the trainings; by default that of `nas retrain`.
    """

    run: RunFolder
    experiment: Experiment
    data: DataSource
    device: torch.device
    place: Path | None = None

    @property
    def num_epochs(self) -> int:
        return self.experiment.retrain.epochs

    def teachers(self, tree: BranchTree) -> Sequence[BranchTree]:
        return [teacher.tree for teacher in self.training(tree).teachers()]

    def train(self, requests: Sequence[Request]) -> list[Evaluation]:
        return [
            evaluate_tree(self.training(request.tree), request.num_epochs, self.data, self.device)
            for request in requests
        ]

    def has(self, request: Request) -> bool:
        """Whether a request needs no training."""
        return len(self.training(request.tree).validation()) >= request.num_epochs

    def training(self, tree: BranchTree) -> TreeTraining:
        return TreeTraining(self.run, self.experiment, tree, self.experiment.seed, "fresh", self.place)

    def seconds_per_epoch(self, tree: BranchTree) -> float:
        training = self.training(tree)
        settings = training.settings
        network = build_network(training.experiment, tree, training.seed).to(self.device)
        state = TrainingState.start(network.train(), settings)
        splits = [self.data.split(name) for name in settings.splits]
        batch = next(iter(batches(splits[0], settings.batch_size, seed=training.seed, epoch=0, shuffle=True)))
        # The first step includes allocations and the choice of algorithms, so only the second is timed.
        for _ in range(2):
            started = time.perf_counter()
            train_step(state, training.experiment.tasks, [batch.to(self.device)], settings, 1.0)
        num_batches = max(1, sum(map(len, splits)) // settings.batch_size)
        return num_batches * (time.perf_counter() - started)


def problem_of(experiment: Experiment, parts: TrialParts, run: RunFolder, device: torch.device) -> Problem:
    """The problem of an experiment's strategy before a search, in a folder of its own; nothing is written yet."""
    evaluator = RunEvaluator(run, experiment, parts.data, device)
    return parts.problem(experiment, device, Store(run.path), evaluator=evaluator)


def evaluate_tree(training: TreeTraining, num_epochs: int, data: DataSource, device: torch.device) -> Evaluation:
    """Train a tree's first epochs as far as they have not been trained, and record how long all of them took."""
    started, path = time.perf_counter(), training.folder / "seconds.json"
    validation = training.train_briefly(num_epochs, data, device)
    known = read_record(path, _Seconds).by_epochs if path.is_file() else {}
    if (done := len(validation)) not in known:
        # A search that is started again finds what it found before, however long the training has become.
        before = known[max(fewer)] if (fewer := [epochs for epochs in known if epochs < done]) else 0.0
        known = {**known, done: before + time.perf_counter() - started}
        write_json_atomically(path, _Seconds(by_epochs=known).model_dump())
    return Evaluation(training.tree, validation, known[done])


class _Seconds(BaseModel):
    """``seconds.json`` of a training: how long its first epochs took, by their number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by_epochs: dict[int, float]
