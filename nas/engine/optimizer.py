"""Optimisers and learning-rate schedules as settings of a recipe."""

import math
from collections.abc import Iterable
from typing import Any, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat

from nas.fields import Settings


class OptimizerSettings(Settings):
    """One of torch's optimisers with its settings.

    Args:
        kind: "adam", "adamw" or "sgd".
        lr: the learning rate.
        weight_decay: decay of the weights: of "adamw" apart from the gradient, of the others as part of it.
        momentum: of "sgd"; the others have none.
    """

    kind: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = Field(default=1e-3, gt=0.0, allow_inf_nan=False)
    weight_decay: NonNegativeFloat = 0.0
    momentum: float = Field(default=0.0, ge=0.0, lt=1.0)

    def model_post_init(self, _: Any) -> None:
        if self.momentum and self.kind != "sgd":
            raise ValueError(f"momentum is a setting of sgd; {self.kind} has none")

    def make(self, parameters: Iterable[Any]) -> torch.optim.Optimizer:
        """The optimiser over parameters or parameter groups; a group's own `lr` overrides the setting's.

        It updates all parameters in one call ("fused", or "foreach"). For networks of many small tensors, such as
        supernets, this is several times faster than one call for each tensor; the results differ in rounding only.
        """
        parameters = list(parameters)
        members = [p for group in parameters for p in (group["params"] if isinstance(group, dict) else [group])]
        # torch's fused optimisers refuse complex numbers. Its fused momentum fails on a weight that gets its first
        # gradient later than the others, which happens where labels are missing.
        foreach = self.momentum > 0 or any(torch.is_complex(parameter) for parameter in members)
        chosen: dict[str, Any] = {
            "lr": self.lr,
            "weight_decay": self.weight_decay,
            **({"foreach": True} if foreach else {"fused": True}),
        }
        if self.kind == "sgd":
            return torch.optim.SGD(parameters, momentum=self.momentum, **chosen)
        return (torch.optim.Adam if self.kind == "adam" else torch.optim.AdamW)(parameters, **chosen)


class ScheduleSettings(Settings):
    """The learning rate's factor as a pure function of progress in [0, 1].

    After a linear warm-up over the first `warmup` share, with q the progress through the rest:

        constant    1
        cosine      (1 + cos(pi q)) / 2
        polynomial  (1 - q) ** power

    Args:
        kind: "constant", "cosine" or "polynomial".
        power: the exponent of "polynomial".
        warmup: share of the training in which the rate rises from 0.
    """

    kind: Literal["constant", "cosine", "polynomial"] = "cosine"
    power: PositiveFloat = 0.9
    warmup: float = Field(default=0.0, ge=0.0, lt=1.0)

    def factor(self, progress: float, step: float = 0.0) -> float:
        """The factor of a step that begins at `progress`.

        Args:
            step: the share of the whole training that this step is. Warm-up uses the factor at the step's end, so that
                the first step trains, too.
        """
        if progress < self.warmup:
            return min(1.0, (progress + step) / self.warmup)
        rest = (progress - self.warmup) / (1.0 - self.warmup)
        if self.kind == "cosine":
            return (1.0 + math.cos(math.pi * rest)) / 2.0
        return (1.0 - rest) ** self.power if self.kind == "polynomial" else 1.0


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's learning rate to `factor` times its initial one."""
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
