"""The part of `nas check`'s report on labels, inputs and first losses."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas.recipe import Experiment
from nas.tasks import Task
from nas.tasks.checks import accepted_labels
from nas.tasks.labels import DEPTHS, NUMBERS, YES_OR_NO, Accepts
from nas.tasks.survey import SplitLabels, TaskLabels

_LARGEST_RATIO = 100.0
"""A larger ratio between two weighted losses is reported."""


@dataclass(frozen=True)
class SeenLabels:
    """The labels of a task in a split.

    Args:
        coverage: the share of samples that have a label.
        known: the share of entries with a value in these labels.
        min, max: of the values.
        balance: the share of the "commonest" class and the number of "absent" ones, or the "positive" share.
        chance: "loss" and "accuracy" or "rmse" of the best constant prediction.
    """

    coverage: float
    known: float
    min: float | None
    max: float | None
    balance: Mapping[str, float] | None
    chance: Mapping[str, float]


def describe_split(tasks: Sequence[Task], split: SplitLabels) -> dict[str, SeenLabels]:
    """The labels of each task."""
    described = {}
    for task in tasks:
        labels = split.tasks[task.name]
        described[task.name] = SeenLabels(
            coverage=labels.num_samples / split.num_samples,
            known=labels.num_known / labels.num_entries if labels.num_entries else 0.0,
            min=labels.low,
            max=labels.high,
            balance=_balance(task, labels),
            chance=_chance(task, labels),
        )
    return described


def _balance(task: Task, labels: TaskLabels) -> dict[str, float] | None:
    if labels.counts is None:
        return None
    total = sum(labels.counts)
    if _accepted(task) is YES_OR_NO:
        return {"positive": labels.counts[1] / total}
    return {"commonest": max(labels.counts) / total, "absent": labels.counts.count(0)}


def _chance(task: Task, labels: TaskLabels) -> dict[str, float]:
    """Metrics of the best constant prediction: the class frequencies, or the mean."""
    accepted = _accepted(task)
    if labels.counts is not None:
        shares = [count / sum(labels.counts) for count in labels.counts if count]
        chance = {"accuracy": max(shares)}
        # The best constant of a weighted loss, and the loss of targets between 0 and 1, are not known here.
        if task.loss in ("cross_entropy", "binary_cross_entropy"):
            chance["loss"] = -sum(share * math.log(share) for share in shares)
        return chance
    if labels.deviation is not None and accepted in (NUMBERS, DEPTHS):
        return {"rmse": labels.deviation} | ({"loss": labels.deviation**2} if task.loss == "mse" else {})
    return {}


def _accepted(task: Task) -> Accepts | None:
    """The kind of labels that the loss takes, or else the first metric that says so; labels were counted by it."""
    return next(iter(accepted_labels(task).values()), None)


def inputs_of_other_shapes(experiment: Experiment, splits: Mapping[str, SplitLabels]) -> list[str]:
    """A sentence for each split whose inputs do not have the shape for which costs are counted."""
    stated = list(experiment.input_shape)
    return [
        f"split {split!r} has inputs of shape {' and '.join(map(str, other))}, and costs are counted for input_shape "
        f"{stated}; set input_shape to the shape of the data, unless costs for another size are wanted"
        for split, labels in splits.items()
        if (other := [shape for shape in labels.input_shapes if shape != stated])
    ]


def unequal_losses(tasks: Sequence[Task], losses: Mapping[str, float]) -> list[str]:
    """A sentence if the first losses, times the tasks' weights, differ by orders of magnitude."""
    weighted = {task.name: task.weight * losses[task.name] for task in tasks if losses.get(task.name, 0.0) > 0}
    if not weighted:
        return []
    least, most = (pick(weighted, key=weighted.__getitem__) for pick in (min, max))
    if weighted[most] <= _LARGEST_RATIO * weighted[least]:
        return []
    return [
        f"the first loss of {most} times its weight is {weighted[most]:.3g}, that of {least} {weighted[least]:.3g}: "
        f"{most} dominates what shared blocks learn; change the tasks' weights, or the unit of the labels"
    ]
