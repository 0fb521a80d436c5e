"""Relative performance: one number for many tasks, against single-task networks."""

import math
from collections.abc import Mapping, Sequence

import torch

from nas.errors import InputError
from nas.tasks import Task
from nas.training.evaluate import make_metrics
from nas.training.measured import Measured


def metric_directions(tasks: Sequence[Task]) -> dict[str, dict[str, bool]]:
    """By task and metric: whether higher is better."""
    directions: dict[str, dict[str, bool]] = {}
    for task in tasks:
        directions[task.name] = {}
        for name, metric in make_metrics(task, torch.device("cpu")).items():
            if metric.higher_is_better is None:
                raise InputError(f"metric {name} of task {task.name} does not say whether higher is better")
            directions[task.name][name] = metric.higher_is_better
    return directions


Directions = Mapping[str, Mapping[str, bool]]
"""By task and metric: whether higher is better."""


def comparable(directions: Directions, singles: Sequence[Measured], measured: Sequence[Measured]) -> Directions:
    """The tasks and metrics of which every network has a gain over every reference.

    A metric is left out if it has no value (NaN) in any of them, or is 0 in a reference; a task is left out if it has
    no metric left. What is left out for one network is so for all: their delta_m are means over the same tasks.
    """
    kept = {
        task: {
            metric: higher
            for metric, higher in metrics.items()
            if all(_is_reference(single[task][metric]) for single in singles)
            and all(math.isfinite(network[task][metric]) for network in measured if task in network)
        }
        for task, metrics in directions.items()
    }
    return {task: metrics for task, metrics in kept.items() if metrics}


def delta_m(measured: Measured, single: Measured, higher_is_better: Directions) -> float:
    """Mean relative gain over single-task networks, in percent (Maninis et al., CVPR 2019, eq. 4; Vandenhende et al.).

        delta_m = 100 mean_t (-1)^{lower is better} (M_t - M_single,t) / |M_single,t|

    With several metrics a task, the mean over its metrics is taken first. Negative is worse than single tasks. It is
    over the tasks and metrics that have a gain (`comparable`): nothing is relative to a reference of 0, nor to one
    without a value. If there is none, it is NaN.
    """
    gains = []
    for task, metrics in comparable(higher_is_better, [single], [measured]).items():
        per_metric = []
        for metric, higher in metrics.items():
            reference = single[task][metric]
            gain = (measured[task][metric] - reference) / abs(reference)
            per_metric.append(gain if higher else -gain)
        gains.append(sum(per_metric) / len(per_metric))
    return 100.0 * sum(gains) / len(gains) if gains else math.nan


def _is_reference(value: float) -> bool:
    """Whether a gain can be relative to a value."""
    return math.isfinite(value) and value != 0.0
