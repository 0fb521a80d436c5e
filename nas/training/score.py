"""The score of an epoch, which decides the best epoch and when to stop: the validation loss, or a weighted mix."""

import math
from collections.abc import Mapping, Sequence

from nas.errors import InputError, no_such
from nas.tasks import Task
from nas.training.directions import metric_directions
from nas.training.measured import Measured


class EpochScore:
    """An epoch's score from its validation losses and metrics; lower is better.

        sum_t weight_t loss_t                                 without a mix
        sum_m weight_m (loss of a task, or +-metric)          with a mix; minus for metrics where higher is better

    A network may have only some of the tasks: then only their terms of the mix count. A network without any task of
    the mix (as some single-task networks) is scored as without a mix.

    Args:
        tasks: all tasks of the recipe.
        stop_on: weights of the mix by ``task`` (its loss) or ``task.metric``; None for no mix.

    Raises:
        InputError: the mix names no task or metric of the recipe.
    """

    def __init__(self, tasks: Sequence[Task], stop_on: Mapping[str, float] | None) -> None:
        self._tasks = tuple(tasks)
        self._mix = [_measure(name, weight, tasks) for name, weight in (stop_on or {}).items()]

    def __call__(self, measured: Measured) -> float:
        """The score; InputError if a loss or metric of the mix has no value on the validation split."""
        terms = [
            signed_weight * _finite(measured[task][name], task, name)
            for task, name, signed_weight in self._mix
            if task in measured
        ]
        if terms:
            return sum(terms)
        return sum(task.weight * measured[task.name]["loss"] for task in self._tasks if task.name in measured)


def _measure(name: str, weight: float, tasks: Sequence[Task]) -> tuple[str, str, float]:
    """The task and the loss or metric of a name, and the weight with the sign that makes lower better."""
    owner, _, metric = name.partition(".")
    task = next((task for task in tasks if task.name == owner), None)
    if task is None:
        raise InputError(f"retrain.stop_on: {no_such('task', owner, [task.name for task in tasks])}")
    if not metric:
        return owner, "loss", weight
    directions = metric_directions([task])[owner]
    if metric not in directions:
        raise InputError(f"retrain.stop_on: task {owner} has no metric {metric!r}; it has {', '.join(directions)}")
    return owner, metric, -weight if directions[metric] else weight


def _finite(value: float, task: str, name: str) -> float:
    if not math.isfinite(value):
        raise InputError(f"retrain.stop_on: {task}.{name} has no value on the validation split; name another metric")
    return value
