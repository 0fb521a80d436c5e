"""What retraining can be told."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from nas.optimizer import OptimizerSettings, ScheduleSettings


class TrainingSettings(BaseModel):
    """Settings of training a discrete network, used for found trees and for all their baselines alike.

    Args:
        epochs: passes over the training splits.
        batch_size: samples a step; batch statistics need two.
        splits: what is trained on; by default all that the search saw, weights' and logits' split together.
        optimizer: see `OptimizerSettings`.
        schedule: the learning rate's course, per step.
        shared_lr: "divided" gives a part that k tasks use 1/k of the learning rate, as BMTAS's paper does
            (without it its fully shared baseline is not reproduced); "same" gives all parts the same.
        patience: stop when so many epochs in a row did not lower the validation loss; None trains to the end.
            The schedule is not shortened by it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: PositiveInt = 30
    batch_size: int = Field(default=64, ge=2)
    splits: tuple[Literal["train", "architecture"], ...] = Field(default=("train", "architecture"), min_length=1)
    optimizer: OptimizerSettings = OptimizerSettings(kind="adam", lr=1e-3, weight_decay=1e-4)
    schedule: ScheduleSettings = ScheduleSettings(kind="cosine")
    shared_lr: Literal["same", "divided"] = "same"
    patience: PositiveInt | None = None
