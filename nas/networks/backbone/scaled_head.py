"""Heads whose outputs are moved and scaled to where a task's labels are."""

from typing import Any

from torch import Tensor, nn

from nas.tasks.task import Task


class ScaledHead(nn.Module):
    """``center + scale * head(features, size)``, with the numbers of a `Task`; it has no parameters of its own."""

    def __init__(self, head: nn.Module, center: float, scale: float) -> None:
        super().__init__()
        self.head = head
        self.center = center
        self.scale = scale

    def forward(self, features: Any, size: Any) -> Tensor:
        outputs: Tensor = self.head(features, size)
        return self.center + self.scale * outputs


def scaled(head: nn.Module, task: Task) -> nn.Module:
    """The head, inside a `ScaledHead` if the task states another center than 0 or another scale than 1."""
    return head if (task.center, task.scale) == (0.0, 1.0) else ScaledHead(head, task.center, task.scale)
