"""A task's loss over a whole split, which does not depend on the batch size.

- A loss of `nas.tasks.losses` has the value that it would have if the whole split were one batch: its numerators and
  denominators are summed over the batches. The weights of `balanced_binary_cross_entropy` are those of the whole split.
- A recipe's own loss returns one number for a set of samples, and two such numbers cannot be combined in general. So it
  always gets groups of `GROUP` labelled samples in the order of the split, whatever the batches are (the last group
  has up to ``2 * GROUP - 1``). The result is the mean over groups, weighted by their numbers of samples.
"""

import math

import torch
from torch import Tensor

from nas.tasks.labels import accepted_by, unwrapped
from nas.tasks.losses import LOSSES, LossFunction, balanced_binary_cross_entropy
from nas.tasks.losses.classification import balanced_loss, balanced_sums
from nas.tasks.multi_task_loss import apply_loss
from nas.tasks.task import Task

GROUP = 8
"""Samples in each call of a recipe's own loss."""


class SplitLoss:
    """Collects a task's outputs and labels: call ``update`` for each batch, then ``compute``.

    Only ``compute`` waits for the device.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._loss: LossFunction = LOSSES[task.loss] if isinstance(task.loss, str) else task.loss
        self._sums: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._labels: list[Tensor] = []

    def update(self, outputs: Tensor, labels: Tensor) -> None:
        """Add labelled samples: outputs [n, ...] and labels [n, ...]. Raises InputError if they do not fit."""
        function = unwrapped(self._loss)
        if function is balanced_binary_cross_entropy:
            self._sums.append(apply_loss(self._task, balanced_sums, outputs, labels, ndim=1))
        elif function in LOSSES.values():
            accepted = accepted_by(function)
            assert accepted is not None, f"{function.__name__} does not say where its labels hold a value"
            # 0 where no label holds a value.
            mean = apply_loss(self._task, self._loss, outputs, labels)
            known = accepted.known(labels, outputs.shape[1]).sum()
            self._sums.append(torch.stack([mean.double() * known, known.double()]))
        else:
            self._outputs.append(outputs)
            self._labels.append(labels)
            while sum(map(len, self._labels)) >= 2 * GROUP:
                self._add_group(GROUP)

    def compute(self) -> float:
        """The loss; NaN if no label held a value."""
        if held := sum(map(len, self._labels)):
            self._add_group(held)
        if not self._sums:
            return math.nan
        total = torch.stack(self._sums).double().sum(0)
        if len(total) == 2:
            return (total[0] / total[1]).item()
        return balanced_loss(total).item() if total[-1] > 0 else math.nan

    def _add_group(self, size: int) -> None:
        outputs, labels = torch.cat(self._outputs), torch.cat(self._labels)
        self._outputs, self._labels = [outputs[size:]], [labels[size:]]
        mean = apply_loss(self._task, self._loss, outputs[:size], labels[:size]).double()
        self._sums.append(torch.stack([mean * size, mean.new_tensor(size)]))
