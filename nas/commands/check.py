"""`nas check`: read all labels, take one step, and predict what a long search will need."""

import resource
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from nas.cost import LatencyTable, resolve_budget
from nas.display import Displayed
from nas.recipe.lazy import qualified_name
from nas.run import LabelRecord, RunFolder, TrialParts, resolve_device, use_threads
from nas.run.evaluator import problem_of
from nas.run.label_report import SeenLabels, describe_split, inputs_of_other_shapes, unequal_losses
from nas.run.labels import concerns
from nas.run.opened_run import Recipe, open_experiment
from nas.run.retraining_step import try_retraining
from nas.strategies.protocol import check_problem, first_steps
from nas.tasks import Task

_CHECKPOINTS_KEPT = 3


@dataclass(frozen=True)
class CheckedTask:
    """A task as the recipe states it; functions are named."""

    num_outputs: int
    loss: str
    metrics: tuple[str, ...]
    labels: tuple[str, ...] | None
    dense: bool | None

    @classmethod
    def of(cls, task: Task) -> "CheckedTask":
        return cls(
            task.num_outputs,
            _name(task.loss),
            tuple(_name(metric) for metric in task.metrics),
            None if task.labels is None else tuple(task.labels),
            task.dense,
        )


@dataclass(frozen=True, repr=False)
class CheckReport(Displayed):
    """What `check` found.

    Args:
        tasks: by name.
        samples: number of samples by split.
        labels: by split and task.
        uncounted: the operators that costs in MACs lack.
        losses: of the first step.
        warnings: sentences on what may be wrong.
        seconds: predicted for the search; None if the strategy does not predict it.
        memory_bytes: peak of this process during a step; on a GPU the device's.
        disk_bytes: of the checkpoints that will be kept.
        budgets: each "budget", and the amount of the goal's resource under its name.
        latency: what the latency table of the experiment has measured, if it has one.
    """

    tasks: Mapping[str, CheckedTask]
    samples: Mapping[str, int]
    labels: Mapping[str, Mapping[str, SeenLabels]]
    uncounted: tuple[str, ...]
    losses: Mapping[str, float]
    warnings: tuple[str, ...]
    seconds: float | None
    memory_bytes: int
    disk_bytes: int | None
    budgets: tuple[Mapping[str, float], ...]
    latency: str | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def summary(self) -> str:
        warnings = "1 warning" if len(self.warnings) == 1 else f"{len(self.warnings)} warnings"
        return f"{len(self.tasks)} tasks, {sum(self.samples.values())} samples, {warnings}"

    def records(self) -> list[dict[str, Any]]:
        """A line for the labels of each task in each split."""
        return [
            {"split": split, "samples": self.samples[split], "task": task, **asdict(seen)}
            for split, tasks in self.labels.items()
            for task, seen in tasks.items()
        ]


def check(recipe: Recipe, *, changes: Mapping[str, Any] | None = None) -> CheckReport:
    """Check an experiment before it is searched; nothing is written.

    All samples of all splits are read once, as at the beginning of a search.

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
    return CheckReport(
        tasks={task.name: CheckedTask.of(task) for task in experiment.tasks},
        samples={split: labels.num_samples for split, labels in splits.items()},
        labels={split: describe_split(experiment.tasks, labels) for split, labels in splits.items()},
        uncounted=tuple(parts.uncounted),
        losses=losses,
        warnings=(
            *inputs_of_other_shapes(experiment, splits),
            *concerns(experiment, splits),
            *unequal_losses(experiment.tasks, losses),
        ),
        seconds=None if step is None else step.seconds,
        memory_bytes=_peak_memory(device),
        disk_bytes=None if step is None else _CHECKPOINTS_KEPT * step.state_bytes,
        budgets=tuple(
            {"budget": budget, resource_name: resolve_budget(budget, parts.table, resource_name)}
            for budget in experiment.goal.budgets
        ),
        latency=None if experiment.latency is None else LatencyTable.read(experiment.latency).description,
    )


def _name(loss_or_metric: str | Callable[..., Any]) -> str:
    return loss_or_metric if isinstance(loss_or_metric, str) else qualified_name(loss_or_metric)


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
