"""Which metrics are better if they are higher."""

from collections.abc import Sequence

import torch

from nas.errors import InputError
from nas.tasks import Task
from nas.training.evaluate import make_metrics


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
