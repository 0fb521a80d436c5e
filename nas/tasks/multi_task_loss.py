"""The losses of all tasks on one batch, of which any sample may lack any label."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from nas.data.batch import Batch
from nas.errors import InputError, as_input_errors
from nas.tasks.losses import LOSSES, LossFunction
from nas.tasks.task import Task


def task_losses(tasks: Sequence[Task], outputs: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
    """Each task's mean loss over the rows of the batch that have its label, not weighted.

    A task that no row has a label for is left out: it has no loss, hence no gradient, not even zeros that an
    optimiser's momentum or weight decay would take for an update.

    Args:
        tasks: the tasks to score.
        outputs: by task, its head's output on the whole batch, [B, ...].
        batch: the labels that are there.

    Returns:
        A scalar for each task with a label, in the order of ``tasks``.

    Raises:
        InputError: a task's loss cannot take its outputs and labels; the message names the task.
    """
    losses = {}
    for task in tasks:
        labels = batch.labels.get(task.name)
        if labels is None or len(labels) == 0:
            continue
        rows = outputs[task.name]
        # Picking rows by a mask waits for the device; a fully labelled batch need not.
        if len(labels) < len(rows):
            rows = rows[batch.present[task.name]]
        losses[task.name] = apply_loss(
            task, LOSSES[task.loss] if isinstance(task.loss, str) else task.loss, rows, labels
        )
    return losses


def apply_loss(task: Task, loss: LossFunction, outputs: Tensor, labels: Tensor, *, ndim: int = 0) -> Tensor:
    """What a loss, or a part of it with ``ndim`` dimensions, gives; InputError, naming the task, if it gives none."""
    try:
        with as_input_errors(f"its loss failed on outputs {list(outputs.shape)} and labels {list(labels.shape)}"):
            value = loss(outputs, labels)
        if not isinstance(value, Tensor) or value.dim() != ndim:
            found = f"shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise InputError(f"a loss must be a tensor without dimensions; found {found}")
    except InputError as error:
        raise InputError(f"task {task.name}: {error}") from error
    return value
