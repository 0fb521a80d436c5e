"""Checks of loss values: whether they are possible, and whether the labels explain a loss that is not finite."""

from collections.abc import Iterable, Mapping, Sequence

import torch

from nas.data.batch import Batch
from nas.errors import InputError
from nas.tasks.labels import Accepts, accepted_by
from nas.tasks.losses import LOSSES
from nas.tasks.metrics import METRICS
from nas.tasks.task import Task


def accepted_by_loss(task: Task) -> Accepts | None:
    """The labels that a task's loss accepts; None if the loss does not state them."""
    return accepted_by(LOSSES[task.loss] if isinstance(task.loss, str) else task.loss)


def accepted_labels(task: Task) -> dict[str, Accepts]:
    """The labels that a task's loss and metrics accept, by name; equal descriptions appear once, under the first name.

    The loss comes first, if it states its labels.
    """
    stated = {task.loss if isinstance(task.loss, str) else "its loss": accepted_by_loss(task)}
    for metric in task.metrics:
        name, made = (metric, METRICS[metric]) if isinstance(metric, str) else (qualified(metric), metric)
        stated[name] = accepted_by(made)
    found: dict[str, Accepts] = {}
    for name, accepted in stated.items():
        if accepted is not None and accepted not in found.values():
            found[name] = accepted
    return found


def qualified(metric: object) -> str:
    """The name of a metric that a recipe passes as a function."""
    return str(getattr(metric, "__name__", type(metric).__name__))


def check_losses(tasks: Sequence[Task], losses: Mapping[str, float]) -> None:
    """Raise an InputError if a loss that states its labels is negative, because then the labels do not fit.

    All losses of this project are at least 0. Losses that do not state their labels may be negative,
    as negative log-likelihoods may be.
    """
    for task in tasks:
        accepted = accepted_by_loss(task)
        if accepted is not None and losses.get(task.name, 0.0) < 0:
            raise InputError(
                f"task {task.name}: its loss is {losses[task.name]:.4g}, so it does not accept its labels; it takes "
                f"{accepted.describe(task.num_outputs)}"
            )


def check_finite(task: Task, loss: float, what: str, batches: Iterable[Batch]) -> str:
    """Find out whether labels are the reason why a task's loss is not finite.

    Args:
        what: "epoch 3: the training loss", for the message.
        batches: the epoch's batches; they are read until the cause is found.

    Returns:
        if all labels are fine, a sentence that suggests a lower learning rate.

    Raises:
        InputError: a label of the task is not finite, or its loss does not accept it; the message says which. (The
            loader refuses inputs that are not finite.)
    """
    for i, batch in enumerate(batches):
        where = f"{what} of {task.name} is {loss}: batch {i + 1} of the epoch has"
        labels = batch.labels.get(task.name)
        if labels is None:
            continue
        faults = {name: accepted.fault(labels, task.num_outputs) for name, accepted in accepted_labels(task).items()}
        for name, fault in faults.items():
            if fault is not None:
                raise InputError(f"{where} a label of the task that {fault[1]}, and {name} takes other labels")
        if accepted_by_loss(task) is None and (found := _not_finite(labels)) is not None:
            raise InputError(f"{where} {found} in the task's labels, and its loss is the recipe's own")
    return f"{what} of {task.name} is {loss}; lower the learning rate (inputs and labels are as they should be)"


def _not_finite(values: torch.Tensor) -> str | None:
    """Which of NaN and infinity a tensor holds, as a word; None if it is finite."""
    if values.isfinite().all():
        return None
    return "NaN" if values.isnan().any() else "infinity"
