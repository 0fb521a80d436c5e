"""What `nas check` says of labels, inputs and first losses."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nas.recipe import Experiment
from nas.tasks import Task
from nas.tasks.checks import accepted_labels
from nas.tasks.labels import DEPTHS, NUMBERS, YES_OR_NO, Accepts
from nas.tasks.survey import SplitLabels, TaskLabels

_LARGEST_RATIO = 100.0
"""Weighted losses farther apart than this factor are named."""


def describe_split(tasks: Sequence[Task], split: SplitLabels) -> dict[str, dict[str, Any]]:
    """By task, plain data on its labels.

    "coverage" is the share of samples with a value, "known" the share of entries of the labels there are; "min" and
    "max" are of the values. "balance" says how often classes occur ("commonest" share, number "absent") or yes does
    ("positive"), and "chance" what the best constant answer has: its "loss", and its "accuracy" or "rmse".
    """
    described = {}
    for task in tasks:
        labels = split.tasks[task.name]
        described[task.name] = {
            "coverage": labels.num_samples / split.num_samples,
            "known": labels.num_known / labels.num_entries if labels.num_entries else 0.0,
            "min": labels.low,
            "max": labels.high,
            "balance": _balance(task, labels),
            "chance": _chance(task, labels),
        }
    return described


def _balance(task: Task, labels: TaskLabels) -> dict[str, float] | None:
    if labels.counts is None:
        return None
    total = sum(labels.counts)
    if _accepted(task) is YES_OR_NO:
        return {"positive": labels.counts[1] / total}
    return {"commonest": max(labels.counts) / total, "absent": labels.counts.count(0)}


def _chance(task: Task, labels: TaskLabels) -> dict[str, float]:
    """Of a constant answer that knows how often each class occurs, or the mean."""
    accepted = _accepted(task)
    if labels.counts is not None:
        shares = [count / sum(labels.counts) for count in labels.counts if count]
        chance = {"accuracy": max(shares)}
        # The weighted losses have other constants, and targets between no and yes an entropy of their own.
        if task.loss in ("cross_entropy", "binary_cross_entropy"):
            chance["loss"] = -sum(share * math.log(share) for share in shares)
        return chance
    if labels.deviation is not None and accepted in (NUMBERS, DEPTHS):
        return {"rmse": labels.deviation} | ({"loss": labels.deviation**2} if task.loss == "mse" else {})
    return {}


def _accepted(task: Task) -> Accepts | None:
    """What its loss takes, or else its first metric that says so: what labels were counted by."""
    return next(iter(accepted_labels(task).values()), None)


def inputs_of_other_shapes(experiment: Experiment, splits: Mapping[str, SplitLabels]) -> list[str]:
    """A sentence for each split whose inputs do not have the shape that costs are counted at."""
    stated = list(experiment.input_shape)
    return [
        f"split {split!r} has inputs of shape {' and '.join(map(str, other))}, and costs are counted at input_shape "
        f"{stated}; give it the shape of the data, unless costs are to be those at another size"
        for split, labels in splits.items()
        if (other := [shape for shape in labels.input_shapes if shape != stated])
    ]


def unequal_losses(tasks: Sequence[Task], losses: Mapping[str, float]) -> list[str]:
    """A sentence if the first losses, times the tasks' weights, are orders of magnitude apart."""
    weighted = {task.name: task.weight * losses[task.name] for task in tasks if losses.get(task.name, 0.0) > 0}
    if not weighted:
        return []
    least, most = (pick(weighted, key=weighted.__getitem__) for pick in (min, max))
    if weighted[most] <= _LARGEST_RATIO * weighted[least]:
        return []
    return [
        f"the first loss of {most} times its weight is {weighted[most]:.3g}, that of {least} {weighted[least]:.3g}: "
        f"{most} decides what shared blocks learn; change the tasks' weights, or the unit of the labels"
    ]
