"""The tasks' losses over an epoch: their means, and why one of them is not finite."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import torch
from torch import Tensor

from nas.data.batch import Batch
from nas.errors import WorkFailed
from nas.tasks.checks import check_finite, check_losses
from nas.tasks.task import Task


class MeanLosses(TypedDict):
    """Each task's loss, averaged over the steps of an epoch that had its labels, and their weighted sum."""

    total: float
    tasks: dict[str, float]


@dataclass
class EpochLosses:
    """The losses of an epoch's steps. They stay on their device until the epoch ends, so that no step waits for them.

    Args:
        tasks: the tasks that are trained.
        epoch: its number, from 0.
        batches: makes the epoch's batches again, for all ranks, to find out why a loss is not finite.
        name: of the loss, in messages.
    """

    tasks: Sequence[Task]
    epoch: int
    batches: Callable[[], Iterable[Batch]]
    name: str = "loss"
    _seen: list[tuple[str, Tensor]] = field(default_factory=list)

    def add(self, losses: Mapping[str, Tensor], *, at_once: bool = False) -> None:
        """Add a step's losses, by task or by copy of a task ("depth:1").

        Args:
            at_once: whether to fail now if one is not finite; this waits for the device.
        """
        step = [(name.partition(":")[0], loss) for name, loss in losses.items()]
        if at_once:
            self._check(step)
        self._seen += step

    def by_task(self, *, signed: bool = False) -> dict[str, Tensor]:
        """Each task's losses, [steps].

        Args:
            signed: whether a loss may be negative with valid labels, because it has more terms than the task's own.

        Raises:
            InputError: a loss is not finite, or negative, because of labels.
            WorkFailed: a loss is not finite although the labels are valid, or there are no labels at all.
        """
        if not self._seen:
            names = ", ".join(task.name for task in self.tasks)
            raise WorkFailed(f"epoch {self.epoch + 1}: no batch had a label of {names}")
        found: dict[str, list[Tensor]] = {}
        for name, loss in self._seen:
            found.setdefault(name, []).append(loss)
        by_task = {name: torch.stack(losses) for name, losses in found.items()}
        if not all(losses.isfinite().all() for losses in by_task.values()):
            self._check(self._seen)
        if not signed:
            check_losses(self.tasks, {name: losses.min().item() for name, losses in by_task.items()})
        return by_task

    def _check(self, losses: Iterable[tuple[str, Tensor]]) -> None:
        """Report the first loss that is not finite: it makes all later ones NaN."""
        for name, loss in losses:
            if not loss.isfinite():
                task = next(task for task in self.tasks if task.name == name)
                what = f"epoch {self.epoch + 1}: the {self.name}"
                raise WorkFailed(check_finite(task, loss.item(), what, self.batches()))


def mean_of(losses: Tensor) -> float:
    """The mean of losses, [steps], in double precision."""
    return math.fsum(losses.tolist()) / len(losses)
