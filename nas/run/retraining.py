"""Training one tree's network in a run folder: where it lies, what it starts from, what came out."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict

from nas.data import DataSource
from nas.engine import SINGLE_PROCESS, Ranks
from nas.engine.checkpoint import CheckpointFolder, load_tensors
from nas.errors import InputError, as_input_errors, in_one_line
from nas.files import make_folder, read_record, without_nan, write_json_atomically, write_text_atomically
from nas.networks.branched import BranchedNetwork
from nas.recipe.experiment import Experiment
from nas.recipe.record import describe
from nas.run.parts import build_backbone, build_network
from nas.run.run_folder import RunFolder
from nas.run.trial_folder import TrialFolder
from nas.strategies.protocol import inherit_from
from nas.training import (
    EpochLogs,
    Measured,
    Retraining,
    TrainingSettings,
    TrainingState,
    load_network,
    metric_directions,
    require_methods,
)
from nas.tree import BranchTree, write_tree

Start = Literal["fresh", "pretrained", "inherited"]
"""What a network's weights start from: as the backbone makes them; the same, if these are pretrained; or the
supernet's."""


class TrainedNetwork(BaseModel):
    """The outcome of one training, as ``result.json`` holds it: metrics at the best epoch by validation loss."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schema_version: Literal[1] = 1
    tree_id: str
    seed: int
    start: str
    num_epochs: int
    best_epoch: int
    test: Measured

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump()

    @classmethod
    def read(cls, path: Path) -> "TrainedNetwork":
        return read_record(path, cls, "the result of a training")


class TreeTraining:
    """One tree, one seed, one start, one set of settings: one folder ``retrained/<id>/<start>-<seed>-<settings>/``.

    The last part of the name is a digest of everything the result depends on beside the tree, so a result is
    never taken for one of other settings. ``settings`` are the experiment's as far as they concern the tree's tasks.
    """

    def __init__(self, run: RunFolder, experiment: Experiment, tree: BranchTree, seed: int, start: Start) -> None:
        self.run = run
        self.experiment = run.experiment_of(tree, experiment)
        self.tree = tree
        self.seed = seed
        self.start: Start = start
        self.settings = experiment.retrain.for_tasks(len(tree.tasks))
        self.folder = run.path / "retrained" / tree.id / f"{start}-{seed}-{_digest(self.experiment, self.settings)}"
        self.checkpoints = CheckpointFolder(self.folder / "checkpoint")

    @property
    def finished(self) -> bool:
        return (self.folder / "result.json").is_file()

    @property
    def begun(self) -> bool:
        return bool(self.checkpoints.epochs())

    def result(self) -> TrainedNetwork:
        """The outcome of a finished training; InputError if the file is not of this tree and these tasks."""
        path = self.folder / "result.json"
        result = TrainedNetwork.read(path)
        tasks = [task for task in self.experiment.tasks if task.name in self.tree.tasks]
        expected = {name: {"loss", *metrics} for name, metrics in metric_directions(tasks).items()}
        if result.tree_id != self.tree.id or {name: set(values) for name, values in result.test.items()} != expected:
            raise InputError(f"{path}: not the result of tree {self.tree.id} on the tasks {', '.join(expected)}")
        return result

    def validation_loss(self) -> float:
        """The total validation loss of a finished training, at its best epoch."""
        path, epoch = self.folder / "metrics.jsonl", self.result().best_epoch
        try:
            record = json.loads(path.read_text().splitlines()[epoch - 1])
            return float(record["validation"]["total"])
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise InputError(f"{path}: has no validation loss of epoch {epoch} ({in_one_line(error)})") from error

    def teachers(self) -> list["TreeTraining"]:
        """The trainings that this one learns from: each task alone, from fresh weights with the same seed, as in a
        comparison; none without distillation."""
        if self.settings.distill.weight == 0.0:
            return []
        num_blocks = len(self.tree.partitions)
        return [
            TreeTraining(self.run, self.experiment, BranchTree.shared([task], num_blocks), self.seed, "fresh")
            for task in self.tree.tasks
        ]

    def check(self) -> None:
        """Raise an InputError unless what the recipe's trainings need is installed, and there are weights to start
        from."""
        # The recipe's, not this tree's: a comparison begins with single tasks, and needs for others what they do not.
        require_methods(self.experiment.retrain.balance, self.experiment.retrain.aggregate)
        if self.start == "inherited":
            if inherit_from(self.experiment.strategy) is None:
                raise InputError(
                    f"strategy {type(self.experiment.strategy).__name__} keeps no weights to inherit; start fresh"
                )
            if not self._trial().store.checkpoints.epochs():
                raise InputError(
                    f"{self.run.path}: has no supernet to inherit from; search first (nas fetch brings one that is in "
                    "a storage), or start fresh"
                )
        if self.start == "pretrained" and not _has_pretrained_weights(self.experiment):
            raise InputError(
                f"backbone {self.experiment.backbone.name} names no pretrained weights; "
                "give it some (backbone.weights=FILE), say that it has them (a member weights_report of your own "
                "backbone), or start fresh"
            )

    def train(
        self,
        data: DataSource,
        device: torch.device,
        on_epoch: Callable[[dict[str, Any]], None] = lambda _: None,
        ranks: Ranks = SINGLE_PROCESS,
    ) -> TrainedNetwork:
        """Train from the last checkpoint, if there is one, after the teachers; a finished training is only read.

        Of several ranks the run folder is the first one's; that of the others is their own, and thrown away.
        """
        done = ranks.call_on_first(lambda: self.result().to_dict() if self.finished else None)
        if done is not None:
            return TrainedNetwork.model_validate(done)
        if ranks.is_first:
            self.check()
        experiment = self.experiment
        ranks.call_on_first(lambda: self.run.labels.check_all(experiment, data))
        make_folder(self.folder)
        write_tree(self.tree, self.folder / "tree.json")
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
        if (saved := ranks.call_on_first(self.checkpoints.latest)) is not None:
            state.load(saved, str(self.checkpoints.folder))

        with EpochLogs(self.folder, self.settings.logs) as logs:

            def record(epoch: dict[str, Any]) -> None:
                self._write_metrics(state)
                logs.write(state.history)
                on_epoch(epoch)

            self._write_metrics(state)
            logs.write(state.history)
            training.run(state, self.checkpoints, record)
        assert state.best_epoch is not None
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

    def trained(self, data: DataSource, device: torch.device, ranks: Ranks = SINGLE_PROCESS) -> BranchedNetwork:
        """The network as it is at the training's best epoch; it is trained if it is not."""
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
        """Whose weights may be inherited: that found the tree, or the first, for a tree from elsewhere."""
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


def _has_pretrained_weights(experiment: Experiment) -> bool:
    """Whether the backbone says, by a ``weights_report`` that is not None, that it starts from trained weights."""
    return getattr(build_backbone(experiment), "weights_report", None) is not None


def _digest(experiment: Experiment, settings: TrainingSettings) -> str:
    fields = {name: getattr(experiment, name) for name in ("tasks", "backbone", "data", "input_shape")}
    if experiment.goal.constraints.frozen_prefix:
        fields["frozen_prefix"] = experiment.goal.constraints.shared_prefix
    # How it is logged is nothing to a result.
    fields["retrain"] = settings.model_copy(update={"logs": ()})
    record = json.dumps({name: describe(value) for name, value in fields.items()}, sort_keys=True)
    return hashlib.sha256(record.encode()).hexdigest()[:6]
