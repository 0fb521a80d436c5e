"""Whether a task's losses, and the batches they come from, can be what they are."""

from collections.abc import Iterable, Mapping, Sequence

import torch

from nas.data.batch import Batch
from nas.errors import InputError
from nas.tasks.labels import Accepts, accepted_by
from nas.tasks.losses import LOSSES
from nas.tasks.metrics import METRICS
from nas.tasks.task import Task


def accepted_by_loss(task: Task) -> Accepts | None:
    """What labels a task's loss takes; None for a loss that does not say it."""
    return accepted_by(LOSSES[task.loss] if isinstance(task.loss, str) else task.loss)


def accepted_labels(task: Task) -> dict[str, Accepts]:
    """What labels a task's loss and metrics take, each distinct description under the name of the first that states it.

    The loss comes first, if it states anything.
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
    """InputError if a loss that states what labels it takes is negative: the labels are others.

    All losses of this project are 0 at least. Those that state nothing may be negative, as likelihoods are.
    """
    for task in tasks:
        accepted = accepted_by_loss(task)
        if accepted is not None and losses.get(task.name, 0.0) < 0:
            raise InputError(
                f"task {task.name}: its loss is {losses[task.name]:.4g}, so its labels are none that it takes: "
                f"{accepted.describe(task.num_outputs)}"
            )


def check_finite(task: Task, loss: float, what: str, batches: Iterable[Batch]) -> str:
    """Why a task's loss is not finite, where the batches it comes from are.

    Args:
        what: "epoch 3: the training loss", for the message.
        batches: those of the epoch; they are looked at until the cause is found.

    Returns:
        a sentence that blames the training.

    Raises:
        InputError: a label of the task is not finite, or not one that its loss takes; the message says which. (The
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
    """What a tensor holds beside finite numbers, in words."""
    if values.isfinite().all():
        return None
    return "NaN" if values.isnan().any() else "infinity"
