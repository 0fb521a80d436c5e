"""Schedules of the temperature of a Gumbel-softmax."""

import math
from typing import Any, Literal

from pydantic import PositiveFloat

from nas.fields import Settings


class TemperatureSettings(Settings):
    """The temperature as a function of the steps and epochs after the warm-up, which do not change the logits.

        root      start / sqrt(n) at step n = 1, 2, ...
        epochs    start / n in epoch n = 1, 2, ...
        linear    epoch by epoch from start to end, which the last epoch has

    Learning to Branch uses "root" from 50 on its synthetic tasks, and on CelebA 10, "decayed by the number of epochs",
    which "epochs" takes as a quotient. From which step or epoch it counts is not stated.

    Args:
        kind: "root", "epochs" or "linear".
        start: the first temperature.
        end: the last one, of "linear"; 0.1 if it is not set. The others have none.
    """

    kind: Literal["root", "epochs", "linear"] = "linear"
    start: PositiveFloat = 5.0
    end: PositiveFloat | None = None

    def model_post_init(self, _: Any) -> None:
        if self.end is not None and self.kind != "linear":
            raise ValueError(f"end is a setting of linear; {self.kind} has none")

    def at(self, epoch: int, step: int, num_epochs: int) -> float:
        """The temperature of a step.

        Args:
            epoch: number of the epoch after the warm-up, from 0.
            step: number of the step after the warm-up, from 0, over all epochs.
            num_epochs: number of epochs after the warm-up.
        """
        match self.kind:
            case "root":
                return self.start / math.sqrt(step + 1)
            case "epochs":
                return self.start / (epoch + 1)
        end = 0.1 if self.end is None else self.end
        progress = 1.0 if num_epochs <= 1 else min(epoch / (num_epochs - 1), 1.0)
        return self.start + (end - self.start) * progress
