"""`nas check`: read all labels, take one step, and predict what a long search will need."""

import resource
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from nas.cost import LatencyTable, resolve_budget
from nas.recipe.lazy import qualified_name
from nas.run import LabelRecord, RunFolder, TrialParts, resolve_device, use_threads
from nas.run.evaluator import problem_of
from nas.run.label_report import describe_split, inputs_of_other_shapes, unequal_losses
from nas.run.labels import concerns
from nas.run.opened_run import Recipe, open_experiment
from nas.run.retraining_step import try_retraining
from nas.strategies.protocol import check_problem, first_steps
from nas.tasks import Task

_CHECKPOINTS_KEPT = 3


def check(recipe: Recipe, *, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Check an experiment before it is searched; nothing is written.

    All samples of all splits are read once, as at the beginning of a search.

    Returns:
        plain data: "tasks" (by name: outputs, loss, metrics, names of the outputs, whether dense), "samples" (by
        split), "labels" (by split and task, `describe_split`), "uncounted" (the operators that costs in MACs lack),
        "losses" of the first step, "warnings" (sentences on what may be wrong), "seconds"
        predicted for the search, "memory_bytes" (peak of this process during a step; on a GPU the device's),
        "disk_bytes" of the checkpoints that will be kept, "budgets" in absolute terms, "latency" (what the latency
        table of the experiment has measured, if it has one).

    Raises:
        InputError: the search would fail with the same error: inputs or labels that a task does not take, a task
            without training labels or with a single class in them, a metric that does not return one number, a budget
            below the smallest tree, or any part of the recipe that does not work.
    """
    experiment = open_experiment(recipe, changes)
    device = resolve_device(experiment.device)
    use_threads(experiment.num_threads)
    parts = TrialParts.build(experiment)
    splits = LabelRecord(None).require(experiment, parts.data, warn=False)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try_retraining(experiment, parts, device)
    with TemporaryDirectory() as folder:
        problem = problem_of(experiment, parts, RunFolder(Path(folder)), device)
        check_problem(experiment.strategy, problem)
        step = first_steps(experiment.strategy, problem)
    losses = {} if step is None else dict(step.losses)
    resource_name = experiment.goal.resource
    return {
        "tasks": {task.name: _describe(task) for task in experiment.tasks},
        "samples": {split: labels.num_samples for split, labels in splits.items()},
        "labels": {split: describe_split(experiment.tasks, labels) for split, labels in splits.items()},
        "uncounted": list(parts.uncounted),
        "losses": losses,
        "warnings": [
            *inputs_of_other_shapes(experiment, splits),
            *concerns(experiment, splits),
            *unequal_losses(experiment.tasks, losses),
        ],
        "seconds": None if step is None else step.seconds,
        "memory_bytes": _peak_memory(device),
        "disk_bytes": None if step is None else _CHECKPOINTS_KEPT * step.state_bytes,
        "budgets": [
            {"budget": budget, resource_name: resolve_budget(budget, parts.table, resource_name)}
            for budget in experiment.goal.budgets
        ],
        "latency": None if experiment.latency is None else LatencyTable.read(experiment.latency).description,
    }


def _describe(task: Task) -> dict[str, Any]:
    return {
        "num_outputs": task.num_outputs,
        "loss": task.loss if isinstance(task.loss, str) else qualified_name(task.loss),
        "metrics": [metric if isinstance(metric, str) else qualified_name(metric) for metric in task.metrics],
        "labels": None if task.labels is None else list(task.labels),
        "dense": task.dense,
    }


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
