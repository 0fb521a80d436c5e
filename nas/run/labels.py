"""The labels of an experiment: all of them are looked at once, before the first training, and never again."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from nas.data import SPLITS, DataSource, SplitName
from nas.errors import InputError
from nas.files import make_folder, read_json, write_json_atomically
from nas.recipe.experiment import Experiment
from nas.recipe.record import describe
from nas.run.parts import build_backbone, build_network
from nas.strategies.protocol import labelled_splits
from nas.tasks import Task
from nas.tasks.checks import accepted_labels
from nas.tasks.survey import SplitLabels, TaskLabels, survey
from nas.training import try_metrics
from nas.tree import BranchTree

_LOGGER = logging.getLogger(__name__)


class LabelRecord:
    """What the splits of an experiment's data hold (`nas.tasks.survey`), as a run folder's ``labels.json`` has it.

    A split is looked at if the file does not have it, for this description of the data, this number of samples and
    these tasks. Samples that change without a change of these are not looked at again: then a loss that is not finite,
    or a loss below 0, says what it found.

    Args:
        path: of the file; without one nothing is read or written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._splits: dict[str, dict[str, Any]] | None = None

    def require(
        self, experiment: Experiment, data: DataSource, splits: Sequence[SplitName] = SPLITS, *, warn: bool = True
    ) -> dict[str, SplitLabels]:
        """Look at the splits that have not been looked at, and warn of `concerns`, unless ``warn`` is false.

        The first time, the fully shared network is run on some samples on the CPU, to try every loss and metric.

        Raises:
            InputError: inputs or labels that a task does not take, a loss or metric that does not fit them, a task that
                has no labels to be trained on or chosen by, or only one class to be trained on.
        """
        known = self._read()
        found: dict[str, SplitLabels] = {}
        fresh = False
        for split in splits:
            dataset = data.split(split)
            key = _key(experiment, len(dataset))
            entry = known.get(split)
            if entry is not None and entry.get("key") == key:
                found[split] = SplitLabels.from_dict(entry)
                continue
            found[split] = survey(
                experiment.tasks,
                dataset,
                f"split {split!r}",
                batch_size=experiment.retrain.batch_size,
                num_workers=experiment.num_workers,
            )
            fresh = True
            known[split] = {"key": key, **found[split].to_dict()}
        if fresh:
            _try_network(experiment, found)
            for concern in concerns(experiment, found):
                if warn:
                    _LOGGER.warning("%s", concern)
        return found

    def check_all(self, experiment: Experiment, data: DataSource) -> None:
        """`require` all splits, and `write`."""
        self.require(experiment, data)
        self.write()

    def write(self) -> None:
        """Write what was looked at into the run folder."""
        if self._path is not None and self._splits is not None:
            record = {"schema_version": 1, "splits": self._splits}
            if not self._path.is_file() or _read(self._path) != self._splits:
                make_folder(self._path.parent)
                write_json_atomically(self._path, record)

    def _read(self) -> dict[str, dict[str, Any]]:
        if self._splits is None:
            self._splits = {} if self._path is None or not self._path.is_file() else _read(self._path)
        return self._splits


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The splits of a file; none if it is not such a file: what it has can be found again."""
    try:
        splits = dict(read_json(path)["splits"])
        for entry in splits.values():
            SplitLabels.from_dict(entry)
    except (InputError, LookupError, TypeError, ValueError, AttributeError):
        return {}
    return splits


def _key(experiment: Experiment, num_samples: int) -> str:
    fields = {name: describe(getattr(experiment, name)) for name in ("data", "tasks")}
    text = json.dumps([fields, num_samples], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def concerns(experiment: Experiment, splits: Mapping[str, SplitLabels]) -> list[str]:
    """What is wrong with the labels of splits without making the work meaningless, in words.

    Raises:
        InputError: what makes it meaningless.
    """
    needed = {"train", "validation", *labelled_splits(experiment.strategy)}
    stop_on = experiment.retrain.stop_on or {}
    found = []
    for split, labels in splits.items():
        for task in experiment.tasks:
            of_task = labels.tasks[task.name]
            if of_task.num_known == 0:
                text = f"split {split!r}: no sample has a label of {task.name} with a value{_hint(task, of_task)}"
                if split in needed:
                    raise InputError(f"{text}; give it labels, or leave the task out")
                found.append(f"{text}: it has no value there")
            elif of_task.alike:
                alike = f"the known labels of {task.name} are all alike, {of_task.low:g}"
                text = f"split {split!r}: {alike}{_hint(task, of_task)}"
                if split == "train":
                    raise InputError(
                        f"{text}: there is nothing to learn; give it labels of both kinds, or leave it out"
                    )
                if split == "validation" and any(name.startswith(f"{task.name}.") for name in stop_on):
                    raise InputError(f"{text}, and retrain.stop_on chooses epochs by one of its metrics; name another")
                found.append(f"{text}: its metrics say little or nothing there")
    return found


def _hint(task: Task, labels: TaskLabels) -> str:
    """How many entries hold no value, and what marks them."""
    unknown = labels.num_entries - labels.num_known
    accepted = next(iter(accepted_labels(task).values()), None)
    if accepted is None or not unknown:
        return ""
    stored = "; a mask of 0 and 255 has to be stored as 0 and 1" if accepted.decisions and not accepted.integers else ""
    return f" ({unknown} of {labels.num_entries} entries have none: {accepted.no_value}{stored})"


def _try_network(experiment: Experiment, splits: Mapping[str, SplitLabels]) -> None:
    """Try every loss and metric on the first samples of a split that has been looked at."""
    samples = next((found.examples for found in splits.values() if found.examples), [])
    if not samples:
        return
    tree = BranchTree.shared(experiment.task_names, build_backbone(experiment).num_blocks)
    with torch.random.fork_rng(devices=()):
        try_metrics(build_network(experiment, tree, experiment.seed), experiment.tasks, samples)
