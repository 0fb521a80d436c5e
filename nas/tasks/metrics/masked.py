"""A metric of torchmetrics over the entries of the labels that hold a value."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torchmetrics import Metric

Entries = Callable[[Tensor, Tensor], tuple[Tensor, ...]]
"""(outputs [n, ...], labels [n, ...]) -> what a metric is updated with: vectors of the known entries, labels last."""


class TaskOutputs(Protocol):
    """What a metric needs to know about its task; `nas.tasks.task` imports the metrics, so they cannot import it."""

    @property
    def num_outputs(self) -> int: ...


class MaskedMetric(Metric):
    """Another metric over the entries that hold a value; NaN, "no value", without such an entry.

    Args:
        metric: is updated with the entries.
        entries: picks the entries: `class_entries`, `decision_entries`, `number_entries`, `depth_entries` or
            `angle_entries` of `nas.tasks.metrics`, or your own.
        decisions: labels are yes (1) or no (0). It is then also NaN if all are alike, as a constant would be perfect.
        higher_is_better: for a metric that does not say it.
    """

    full_state_update = False
    num_entries: Tensor
    num_yes: Tensor

    def __init__(
        self, metric: Metric, entries: Entries, *, decisions: bool = False, higher_is_better: bool | None = None
    ) -> None:
        super().__init__()
        self.metric = metric
        self.entries = entries
        self.decisions = decisions
        self._higher_is_better = metric.higher_is_better if higher_is_better is None else higher_is_better
        for name in ("num_entries", "num_yes"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def higher_is_better(self) -> bool | None:  # type: ignore[override]
        return self._higher_is_better

    def update(self, outputs: Tensor, labels: Tensor) -> None:
        """Add samples; samples without values change nothing."""
        entries = self.entries(outputs, labels)
        if len(entries[-1]) == 0:
            return
        self.metric.update(*entries)
        self.num_entries += len(entries[-1])
        if self.decisions:
            self.num_yes += entries[-1].sum()

    def compute(self) -> Tensor:
        nothing = are_alike(self.num_yes, self.num_entries) if self.decisions else bool(self.num_entries == 0)
        value: Tensor = no_value(self.num_entries) if nothing else self.metric.compute()
        return value

    def reset(self) -> None:
        super().reset()
        self.metric.reset()


def are_alike(num_yes: Tensor, num_entries: Tensor) -> bool:
    """Whether all labels of yes and no are the same, or there are none."""
    return bool((num_yes == 0) | (num_yes == num_entries))


def no_value(like: Tensor) -> Tensor:
    """The result of a metric that had nothing to measure: NaN."""
    return torch.tensor(torch.nan, device=like.device)
