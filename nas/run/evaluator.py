"""Trains trees for a search, in its run folder: the evaluator of `nas.strategies.evaluator`, one tree at a time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from nas.data import DataSource, batches
from nas.files import read_json, write_json_atomically
from nas.recipe.experiment import Experiment
from nas.run.parts import TrialParts, build_network
from nas.run.retraining import TreeTraining
from nas.run.run_folder import RunFolder
from nas.strategies import Problem, Store
from nas.strategies.evaluator import Evaluation, Request
from nas.training import TrainingState
from nas.training.step import train_step
from nas.tree import BranchTree, read_tree


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

    def known(self) -> list[Evaluation]:
        trainings = [
            self.training(read_tree(path))
            for path in sorted(
                (
                    *self.run.path.glob("retrained/*/*/tree.json"),
                    *self.run.path.glob("trials/*/trainings/*/*/tree.json"),
                )
            )
        ]
        distinct = {training.folder: training for training in trainings}
        found = [(training, training.validation()) for training in distinct.values()]
        return [Evaluation(training.tree, done, _seconds(training)) for training, done in found if done]

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
    before, started = _seconds(training), time.perf_counter()
    done = len(training.validation())
    validation = training.train_briefly(num_epochs, data, device)
    if len(training.validation()) > done:
        before += time.perf_counter() - started
        write_json_atomically(training.folder / "seconds.json", {"seconds": before})
    return Evaluation(training.tree, validation, before)


def _seconds(training: TreeTraining) -> float:
    path = training.folder / "seconds.json"
    return float(read_json(path)["seconds"]) if path.is_file() else 0.0
