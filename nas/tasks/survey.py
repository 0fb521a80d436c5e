"""The survey of a split: reads all samples once, checks their labels and inputs, and describes the labels.

It takes as long as loading an epoch, plus 10 to 20 ns for each number of a label: 30 ms for five maps of 512 x 512
pixels.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nas.data.batch import Batch, Dataset, Sample
from nas.data.loader import batches
from nas.errors import InputError
from nas.steps import counted
from nas.tasks.checks import accepted_labels
from nas.tasks.labels import Accepts, as_floats
from nas.tasks.task import Task

_NUM_EXAMPLES = 2


@dataclass
class TaskLabels:
    """The labels of a task in a split.

    Args:
        num_samples: samples whose label holds a value.
        num_entries: entries of these labels, with and without a value.
        num_known: entries that hold a value.
        low, high: the least and the largest value; None if there are no values.
        counts: number of entries of each class; for yes and no, numbers of no and of yes (above 0.5); otherwise None.
        mean, deviation: mean and standard deviation of the values, if they are numbers.
    """

    num_samples: int = 0
    num_entries: int = 0
    num_known: int = 0
    low: float | None = None
    high: float | None = None
    counts: list[int] | None = None
    mean: float | None = None
    deviation: float | None = None

    @property
    def alike(self) -> bool:
        """Whether values are classes, or yes and no, and all are the same."""
        return self.counts is not None and self.num_known > 0 and self.low == self.high


@dataclass
class SplitLabels:
    """The contents of a split: number of samples, shapes of its inputs (for one sample), and labels by task."""

    num_samples: int
    input_shapes: list[list[int]]
    tasks: dict[str, TaskLabels]
    examples: list[Sample] = field(default_factory=list, repr=False)
    """The first samples with a label of each task; they are not written to a file."""

    def to_dict(self) -> dict[str, Any]:
        tasks = {name: dict(vars(labels)) for name, labels in self.tasks.items()}
        return {"num_samples": self.num_samples, "input_shapes": self.input_shapes, "tasks": tasks}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "SplitLabels":
        """The inverse of `to_dict`; raises LookupError, TypeError or AttributeError for anything else."""
        tasks = {str(name): TaskLabels(**labels) for name, labels in record["tasks"].items()}
        return cls(int(record["num_samples"]), [list(shape) for shape in record["input_shapes"]], tasks)


def survey(
    tasks: Sequence[Task], dataset: Dataset, where: str, *, batch_size: int, num_workers: int = 0
) -> SplitLabels:
    """Read all samples of a data set in their order; an augmented data set as in its first epoch.

    The state of global random number generators is restored afterwards.

    Args:
        where: name of the data set, for messages.

    Raises:
        InputError: a task's loss or metrics do not accept a label; the message names the sample. The loader refuses
            inputs that are not finite.
    """
    found = {task.name: _Tally(task) for task in tasks}
    shapes: dict[tuple[int, ...], None] = {}
    examples: dict[int, Sample] = {}
    start = 0
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        loader = batches(dataset, batch_size, seed=0, epoch=0, shuffle=False, drop_last=False, num_workers=num_workers)
        for batch in counted(loader, f"labels of {where}", math.ceil(len(dataset) / batch_size)):
            shapes[tuple(batch.inputs.shape[1:])] = None
            for task in tasks:
                if task.name in batch.labels:
                    found[task.name].add(batch, start, where)
                    _keep(examples, batch, start, task.name)
            start += len(batch.inputs)
    labels = {name: tally.result() for name, tally in found.items()}
    return SplitLabels(start, [list(shape) for shape in shapes], labels, list(examples.values()))


class _Tally:
    """Collects statistics of a task's labels."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.accepted = accepted_labels(task)
        self.main: Accepts | None = next(iter(self.accepted.values()), None)
        self.found = TaskLabels()
        self.counts: Tensor | None = None
        self.sum = self.squares = 0.0

    def add(self, batch: Batch, start: int, where: str) -> None:
        """Add the task's labels on a batch whose first sample is ``start``."""
        labels, task = batch.labels[self.task.name], self.task
        values = None
        for name, accepted in self.accepted.items():
            unfit = accepted.unfit(labels) is not None
            known = None if unfit else accepted.known_values(labels, task.num_outputs)
            if (fault := accepted.fault(labels, task.num_outputs, known)) is not None:
                sample = start + int(batch.present[task.name].nonzero()[fault[0]])
                raise InputError(
                    f"{where}, sample {sample}: task {task.name}: its label {fault[1]}; {name} takes "
                    f"{accepted.describe(task.num_outputs)}"
                )
            values = known if values is None else values
        self.found.num_entries += labels.numel()
        if self.main is None or values is None:
            self.found.num_samples += len(labels)
            self.found.num_known += labels.numel()
        elif len(values):
            self._count(labels, values)

    def _count(self, labels: Tensor, values: Tensor) -> None:
        """Count the known values of the labels; at least one is known."""
        assert self.main is not None
        if len(values) == labels.numel():
            self.found.num_samples += len(labels)
        else:
            known = self.main.known(labels, self.task.num_outputs)
            self.found.num_samples += int(known.reshape(len(known), -1).any(1).sum())
        self.found.num_known += len(values)
        low, high = float(values.min()), float(values.max())
        self.found.low = low if self.found.low is None else min(low, self.found.low)
        self.found.high = high if self.found.high is None else max(high, self.found.high)
        if self.main.decisions:
            classes = values.long() if self.main.integers else (values > 0.5).long()
            counts = classes.bincount(minlength=self.task.num_outputs if self.main.integers else 2)
            self.counts = counts if self.counts is None else self.counts + counts
        else:
            variance, mean = torch.var_mean(as_floats(values), correction=0)
            self.sum += mean.item() * len(values)
            self.squares += (variance.item() + mean.item() ** 2) * len(values)

    def result(self) -> TaskLabels:
        found, number = self.found, self.found.num_known
        if self.counts is not None:
            found.counts = self.counts.tolist()
        elif self.main is not None and number:
            found.mean = self.sum / number
            found.deviation = math.sqrt(max(self.squares / number - found.mean**2, 0.0))
        return found


def _keep(examples: dict[int, Sample], batch: Batch, start: int, task: str) -> None:
    """Keep the first samples that have a label of a task."""
    kept = sum(task in labels for _, labels in examples.values())
    rows = batch.present[task].nonzero().flatten()[: _NUM_EXAMPLES - kept].tolist()
    for place, row in enumerate(rows):
        _, labels = examples.setdefault(start + row, (batch.inputs[row].clone(), {}))
        assert isinstance(labels, dict)
        labels[task] = batch.labels[task][place].clone()
