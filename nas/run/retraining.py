"""Trains one tree's network in a run folder: its folder, its starting weights, and its result."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch

from nas.data import DataSource
from nas.engine import SINGLE_PROCESS, Ranks
from nas.engine.checkpoint import CheckpointFolder, load_tensors
from nas.engine.loop import resume
from nas.errors import InputError, as_input_errors, in_one_line
from nas.files import (
    is_temporary,
    make_folder,
    new_folder,
    read_json,
    without_nan,
    write_json_atomically,
    write_text_atomically,
)
from nas.networks.branched import BranchedNetwork
from nas.recipe.experiment import Experiment
from nas.recipe.record import describe
from nas.run.beginning import write_beginning
from nas.run.parts import build_backbone, build_network
from nas.run.run_folder import RunFolder
from nas.run.trained_network import TrainedNetwork
from nas.run.trial_folder import TrialFolder
from nas.strategies.protocol import inherit_from
from nas.training import (
    EpochLogs,
    Measured,
    Retraining,
    TrainingRecord,
    TrainingSettings,
    TrainingState,
    load_network,
    metric_directions,
    require_logs,
    require_methods,
)
from nas.tree import BranchTree, write_tree

Start = Literal["fresh", "pretrained", "inherited"]
"""The starting weights of a network: "fresh" and "pretrained" are those of the backbone ("pretrained" requires that the
backbone loads some); "inherited" are those of the search."""


class TreeTraining:
    """One tree, one seed, one start, one set of settings: one folder ``retrained/<id>/<start>-<seed>-<settings>/``.

    The last part of the name is a digest of everything beside the tree that the result depends on, so results of
    different settings are never confused. ``settings`` are the experiment's settings for this number of tasks.
    """

    def __init__(
        self,
        run: RunFolder,
        experiment: Experiment,
        tree: BranchTree,
        seed: int,
        start: Start,
        place: Path | None = None,
    ) -> None:
        self.run = run
        # A trial's own experiment has the backbone of the trial.
        self.experiment = run.experiment_of(tree, experiment) if place is None else experiment
        self.tree = tree
        self.seed = seed
        self.start: Start = start
        self.settings = experiment.retrain.for_tasks(len(tree.tasks))
        name = f"{tree.id}/{start}-{seed}-{_digest(self.experiment, self.settings)}"
        self.folder = (run.path / "retrained" if place is None else place) / name
        self._place = place
        # Searches keep their trainings in the folders of their trials, which have one writer each.
        places = (run.path / "retrained" / name, *run.path.glob(f"trials/*/trainings/{name}"))
        self._elsewhere = [path for path in places if path.is_dir() and path != self.folder]
        self.checkpoints = CheckpointFolder(self.folder / "checkpoint")

    @property
    def finished(self) -> bool:
        return (self.folder / "result.json").is_file()

    @property
    def interrupted(self) -> bool:
        """Whether the training was stopped before its end, other than by `train_briefly`."""
        path, done = self.folder / "brief.json", self.checkpoints.epochs()
        return bool(done) and not (path.is_file() and read_json(path).get("num_epochs") == done[0])

    def result(self) -> TrainedNetwork:
        """The result of a finished training; InputError if the file belongs to another tree or other tasks."""
        path = self.folder / "result.json"
        result = TrainedNetwork.read(path)
        tasks = [task for task in self.experiment.tasks if task.name in self.tree.tasks]
        expected = {name: {"loss", *metrics} for name, metrics in metric_directions(tasks).items()}
        if result.tree_id != self.tree.id or {name: set(values) for name, values in result.test.items()} != expected:
            raise InputError(f"{path}: not the result of tree {self.tree.id} on the tasks {', '.join(expected)}")
        return result

    def validation_loss(self) -> float:
        """The total validation loss of a finished training at its best epoch."""
        path, epoch = self.folder / "metrics.jsonl", self.result().best_epoch
        try:
            record = json.loads(path.read_text().splitlines()[epoch - 1])
            return float(record["validation"]["total"])
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise InputError(f"{path}: has no validation loss of epoch {epoch} ({in_one_line(error)})") from error

    def teachers(self) -> list["TreeTraining"]:
        """The trainings of the teachers: each task alone, from fresh weights with the same seed, as in a comparison;
        none without distillation."""
        if self.settings.distill.weight == 0.0:
            return []
        num_blocks = len(self.tree.partitions)
        return [
            TreeTraining(
                self.run, self.experiment, BranchTree.shared([task], num_blocks), self.seed, "fresh", self._place
            )
            for task in self.tree.tasks
        ]

    def check(self) -> None:
        """InputError unless the packages that the recipe's trainings need are installed, and the starting weights
        exist."""
        # The recipe's settings, not this tree's: a comparison trains single tasks first, which need fewer packages.
        require_methods(self.experiment.retrain.balance, self.experiment.retrain.aggregate)
        require_logs(self.settings.logs)
        if self.start == "inherited":
            if inherit_from(self.experiment.strategy) is None:
                raise InputError(
                    f"strategy {type(self.experiment.strategy).__name__} keeps no weights to inherit; start fresh"
                )
            if not self._trial().store.checkpoints.epochs():
                raise InputError(
                    f"{self.run.path}: has no supernet to inherit from; search first (nas fetch downloads a search "
                    "from a storage), or start fresh"
                )
        if self.start == "pretrained" and not _has_pretrained_weights(self.experiment):
            raise InputError(
                f"backbone {self.experiment.backbone.name} has no pretrained weights; name a file "
                "(backbone.weights=FILE), give your own backbone a member weights_report that describes its weights, "
                "or start fresh"
            )

    def train(
        self,
        data: DataSource,
        device: torch.device,
        on_epoch: Callable[[dict[str, Any]], None] = lambda _: None,
        ranks: Ranks = SINGLE_PROCESS,
    ) -> TrainedNetwork:
        """Train from the last checkpoint if there is one, after the teachers; a finished training is only read.

        Only rank 0 uses the run folder; the folders of other ranks are temporary.
        """
        done = ranks.call_on_first(lambda: self.result().to_dict() if self.finished else None)
        if done is not None:
            return TrainedNetwork.model_validate(done)
        training, state = self._run_to(None, data, device, on_epoch, ranks)
        assert state.best_epoch is not None
        network = state.result
        self._load(network, state.best_epoch, ranks)
        test = training.evaluate(network, "test")
        result = TrainedNetwork(
            tree_id=self.tree.id,
            seed=self.seed,
            start=self.start,
            num_epochs=state.num_epochs,
            best_epoch=state.best_epoch,
            test=test,
        )
        write_json_atomically(self.folder / "result.json", result.to_dict())
        return result

    def train_briefly(self, num_epochs: int, data: DataSource, device: torch.device) -> list[Measured]:
        """What the validation split gave after each of the first epochs; `train` continues from the last of them.

        Epochs of an earlier training are only read.
        """
        self._adopt()
        if len(self.validation()) < num_epochs and not self.finished:
            make_folder(self.folder)
            write_json_atomically(self.folder / "brief.json", {"num_epochs": num_epochs})
            self._run_to(num_epochs, data, device)
        return self.validation()[:num_epochs]

    def validation(self) -> list[Measured]:
        """What the validation split gave after each epoch so far; InputError if the file is malformed."""
        path = self.folder / "metrics.jsonl"
        if not path.is_file():
            return []
        tasks = set(self.tree.tasks)
        try:
            measured = [json.loads(line)["validation"]["tasks"] for line in path.read_text().splitlines()]
            if not all(
                {name for name, of_task in epoch.items() if of_task["loss"] is not None} == tasks for epoch in measured
            ):
                raise ValueError("its tasks differ from the tree's")
        except (OSError, LookupError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"{path}: not the record of this training ({in_one_line(error)})") from error
        return measured

    def _run_to(
        self,
        num_epochs: int | None,
        data: DataSource,
        device: torch.device,
        on_epoch: Callable[[dict[str, Any]], None] = lambda _: None,
        ranks: Ranks = SINGLE_PROCESS,
    ) -> tuple[Retraining, TrainingState]:
        """Train from the last checkpoint to the end of an epoch, by default the last one."""
        if ranks.is_first:
            self.check()
        experiment = self.experiment
        ranks.call_on_first(lambda: self.run.labels.check_all(experiment, data))
        if ranks.is_first:
            self._adopt()
        make_folder(self.folder)
        write_tree(self.tree, self.folder / "tree.json")
        write_beginning(self.folder, num_epochs or self.settings.epochs, max(self.checkpoints.epochs(), default=0))
        training = Retraining(
            experiment.tasks,
            data,
            self.settings,
            seed=self.seed,
            device=device,
            num_workers=experiment.num_workers,
            teachers={teacher.tree.tasks[0]: teacher.trained(data, device, ranks) for teacher in self.teachers()},
            ranks=ranks,
        )
        # Where the others start does not matter.
        network = self._starting_network() if ranks.is_first else build_network(self.experiment, self.tree, self.seed)
        network.to(device)
        state = TrainingState.start(network, self.settings, ranks)
        resume(state, self.checkpoints, ranks)

        with EpochLogs(self.folder, self.settings.logs) as logs:

            def record(epoch: TrainingRecord) -> None:
                self._write_metrics(state)
                logs.write(state.history)
                on_epoch(dict(epoch))

            self._write_metrics(state)
            logs.write(state.history)
            training.run(state, self.checkpoints, record, num_epochs)
        return training, state

    def _adopt(self) -> None:
        """Copy the longest training that the run has of this tree elsewhere, unless this one has begun."""
        if self.folder.is_dir() or not self._elsewhere:
            return
        longest = max(self._elsewhere, key=lambda path: max(CheckpointFolder(path / "checkpoint").epochs(), default=0))
        make_folder(self.folder.parent)
        # Another process may be writing there. A checkpoint that it removes meanwhile is not needed.
        with new_folder(self.folder) as copy, contextlib.suppress(shutil.Error):
            shutil.copytree(longest, copy, dirs_exist_ok=True, ignore=_unfinished)

    def trained(self, data: DataSource, device: torch.device, ranks: Ranks = SINGLE_PROCESS) -> BranchedNetwork:
        """The network at the best epoch of the training, which runs first if it is not finished."""
        result = self.train(data, device, ranks=ranks)
        network = build_network(self.experiment, self.tree, self.seed)
        self._load(network, result.best_epoch, ranks)
        return network.to(device)

    def _load(self, network: BranchedNetwork, num_epochs: int, ranks: Ranks) -> None:
        path = self.checkpoints.path(num_epochs)
        load_network(network, ranks.call_on_first(lambda: load_tensors(path)), str(path))

    def _write_metrics(self, state: TrainingState) -> None:
        lines = "".join(json.dumps(without_nan(record)) + "\n" for record in state.history)
        write_text_atomically(self.folder / "metrics.jsonl", lines)

    def _trial(self) -> TrialFolder:
        """The trial whose weights are inherited: the one that found the tree, or the first one for any other tree."""
        return self.run.trial_of(self.tree) or next(iter(self.run.trials), self.run.trial(0))

    def _starting_network(self) -> BranchedNetwork:
        network = build_network(self.experiment, self.tree, self.seed)
        if self.start == "inherited":
            trial = self._trial()
            searched = trial.setting.experiment(self.experiment)
            inherit, store = inherit_from(searched.strategy), trial.store
            assert inherit is not None
            with as_input_errors(f"{store.checkpoints.folder}: not checkpoints of this experiment's search"):
                inherit(network, searched.tasks, build_backbone(searched), store)
        return network


def _unfinished(_: str, names: list[str]) -> list[str]:
    return [name for name in names if is_temporary(name)]


def _has_pretrained_weights(experiment: Experiment) -> bool:
    """Whether the backbone starts from trained weights: its ``weights_report`` exists and is not None."""
    return getattr(build_backbone(experiment), "weights_report", None) is not None


def _digest(experiment: Experiment, settings: TrainingSettings) -> str:
    fields = {name: getattr(experiment, name) for name in ("tasks", "backbone", "data", "input_shape")}
    if experiment.goal.constraints.frozen_prefix:
        fields["frozen_prefix"] = experiment.goal.constraints.shared_prefix
    # Logging does not influence the result.
    fields["retrain"] = settings.model_copy(update={"logs": ()})
    record = json.dumps({name: describe(value) for name, value in fields.items()}, sort_keys=True)
    return hashlib.sha256(record.encode()).hexdigest()[:6]
