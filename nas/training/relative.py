"""Relative performance: one number for many tasks, against single-task networks."""

from collections.abc import Mapping, Sequence

import torch

from nas.errors import InputError
from nas.tasks import Task
from nas.training.evaluate import Measured, make_metrics


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


def delta_m(measured: Measured, single: Measured, higher_is_better: Mapping[str, Mapping[str, bool]]) -> float:
    """Mean relative gain over single-task networks, in percent (Maninis et al., CVPR 2019, eq. 4; Vandenhende et al.).

        delta_m = 100 mean_t (-1)^{lower is better} (M_t - M_single,t) / |M_single,t|

    With several metrics a task, the mean over its metrics is taken first. Negative is worse than single tasks.

    Raises:
        InputError: a reference is zero, so that nothing is relative to it.
    """
    gains = []
    for task, metrics in higher_is_better.items():
        per_metric = []
        for metric, higher in metrics.items():
            reference = single[task][metric]
            if reference == 0.0:
                raise InputError(f"the single-task {metric} of {task} is 0; a relative gain over it has no value")
            gain = (measured[task][metric] - reference) / abs(reference)
            per_metric.append(gain if higher else -gain)
        gains.append(sum(per_metric) / len(per_metric))
    return 100.0 * sum(gains) / len(gains)
