"""`nas check`: before a long search, look at the labels, take one step, and say what the whole will need."""

import resource
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from nas.commands.opening import Recipe, open_experiment
from nas.cost import resolve_budget
from nas.data import SPLITS, Batch, DataSource, batches
from nas.errors import InputError
from nas.experiment import Experiment, TrialParts, resolve_device, use_threads
from nas.strategies import Store
from nas.strategies.protocol import first_steps
from nas.tasks import Task
from nas.tasks.ignore import known_values

_LABEL_BATCHES = 20
"""Batches per split that labels are looked at in."""

_CHECKPOINTS_KEPT = 3


def check(recipe: Recipe, *, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Look at an experiment before it is searched; nothing is written.

    Returns:
        plain data: "labels" (per split and task: share of samples that have the label, smallest and largest
        value seen), "losses" of the first step, "seconds" predicted for the search, "memory_bytes" (peak of this
        process during a step; on a GPU the device's), "disk_bytes" of the checkpoints that will be kept,
        "budgets" in absolute terms.

    Raises:
        InputError: a label has a value that the task's outputs cannot have, a task has no label in a split, a
            budget is below the smallest tree, or any part of the recipe does not work.
    """
    experiment = open_experiment(recipe, changes)
    device = resolve_device(experiment.device)
    use_threads(experiment.num_threads)
    parts = TrialParts.build(experiment)
    labels = {split: _labels(experiment, parts.data, split) for split in SPLITS}
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with TemporaryDirectory() as folder:
        step = first_steps(experiment.strategy, parts.problem(experiment, device, Store(Path(folder))))
    resource_name = experiment.goal.resource
    return {
        "labels": labels,
        "losses": {} if step is None else step.losses,
        "seconds": None if step is None else step.seconds,
        "memory_bytes": _peak_memory(device),
        "disk_bytes": None if step is None else _CHECKPOINTS_KEPT * step.state_bytes,
        "budgets": [
            {"budget": budget, resource_name: resolve_budget(budget, parts.table, resource_name)}
            for budget in experiment.goal.budgets
        ],
    }


def _labels(experiment: Experiment, data: DataSource, split: Any) -> dict[str, Any]:
    found: dict[str, list[Any]] = {task.name: [0, None, None] for task in experiment.tasks}
    seen = 0
    loader = batches(
        data.split(split), experiment.retrain.batch_size, seed=experiment.seed, epoch=0, shuffle=True, drop_last=False
    )
    for i, batch in enumerate(loader):
        if i == _LABEL_BATCHES:
            break
        _check_inputs(batch, experiment, split)
        seen += len(batch.inputs)
        for task in experiment.tasks:
            if task.name not in batch.labels:
                continue
            labels = batch.labels[task.name]
            _check_labels(task, labels, split)
            known = known_values(labels)
            if known.any():
                low, high = labels[known].min().item(), labels[known].max().item()
                count, lowest, highest = found[task.name]
                found[task.name] = [
                    count + int(known.reshape(len(known), -1).any(dim=1).sum()),
                    low if lowest is None else min(low, lowest),
                    high if highest is None else max(high, highest),
                ]
    if empty := [name for name, (count, _, _) in found.items() if count == 0]:
        raise InputError(f"split {split!r}: none of {seen} samples has a label of {empty}")
    return {name: {"coverage": count / seen, "min": low, "max": high} for name, (count, low, high) in found.items()}


def _check_inputs(batch: Batch, experiment: Experiment, split: str) -> None:
    shape, stated = tuple(batch.inputs.shape[1:]), experiment.input_shape
    # Costs may be stated at another size than training has, as papers do.
    if len(shape) != len(stated) or shape[0] != stated[0]:
        raise InputError(f"split {split!r}: inputs have shape {list(shape)}, input_shape is {list(stated)}")
    if not torch.isfinite(batch.inputs).all():
        raise InputError(f"split {split!r}: inputs hold NaN or infinite values")


def _check_labels(task: Task, labels: torch.Tensor, split: str) -> None:
    if labels.is_floating_point():
        if torch.isinf(labels).any():
            raise InputError(f"split {split!r}: labels of {task.name} hold infinite values (NaN is for no value)")
    elif task.loss == "cross_entropy":
        valid = (labels < task.num_outputs) & (labels >= -1) | (labels == 255)
        if not valid.all():
            raise InputError(
                f"split {split!r}: labels of {task.name} hold class {labels[~valid][0].item()}; its "
                f"{task.num_outputs} outputs allow 0..{task.num_outputs - 1}, and 255 or -1 to ignore"
            )


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
