"""What retraining can be told."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator

from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.training.methods import AGGREGATIONS, BALANCES


class DistillSettings(BaseModel):
    """Learning from single-task networks, which are trained first, by the same recipe and seed.

    Args:
        weight: of the difference to a teacher's outputs, relative to the task's own loss; 0 is without teachers.
        temperature: tau of classes; other outputs have none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: NonNegativeFloat = 0.0
    temperature: PositiveFloat = 2.0


class TrainingSettings(BaseModel):
    """Settings of training a discrete network, used for found trees and for all their baselines alike.

    Args:
        epochs: passes over the training splits.
        batch_size: samples a batch; batch statistics need two. What is left of an epoch's mixed samples, fewer than
            a batch, is not trained on in that epoch. Networks are evaluated in batches of this size, too.
        splits: what is trained on; by default all that the search saw, weights' and logits' split together.
        optimizer: see `OptimizerSettings`.
        schedule: the learning rate's course, per step.
        shared_lr: "divided" gives a part that k tasks use 1/k of the learning rate, as BMTAS's paper does
            (without it its fully shared baseline is not reproduced); "same" gives all parts the same.
        patience: stop when so many epochs in a row did not lower the score; None trains to the end.
            The schedule is not shortened by it.
        stop_on: the score that patience and the choice of the best epoch go by, as weights of validation losses
            (``"depth"``) and metrics (``"depth.rmse"``; of which higher is better, they count negative). By default
            the total validation loss.
        accumulate: batches whose gradients make one step: that of a batch so many times as large, but for batch
            statistics. The last step of an epoch has what is left.
        clip_norm: the norm that a step's gradient is cut down to, over all parameters of the network.
        ema: decay of an exponential moving average of the weights. Measured, chosen by and kept as the network is then
            the average.
        distill: see `DistillSettings`.
        balance: "none", or factors of the tasks' losses beside their weights: see `nas.training.balance`.
        aggregate: "none", or how the gradients of the tasks that meet at a node of the tree become one: see
            `nas.training.aggregate`. These three are for networks of several tasks; single-task networks are trained
            without them.
        compute: precision, memory format, compilation. What is measured is measured in float32.
        logs: beside ``metrics.jsonl``, "csv" writes ``metrics.csv`` and "tensorboard" a folder for TensorBoard.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: PositiveInt = 30
    batch_size: int = Field(default=64, ge=2)
    splits: tuple[Literal["train", "architecture"], ...] = Field(default=("train", "architecture"), min_length=1)
    optimizer: OptimizerSettings = OptimizerSettings(kind="adam", lr=1e-3, weight_decay=1e-4)
    schedule: ScheduleSettings = ScheduleSettings(kind="cosine")
    shared_lr: Literal["same", "divided"] = "same"
    patience: PositiveInt | None = None
    stop_on: dict[str, PositiveFloat] | None = Field(default=None, min_length=1)
    accumulate: PositiveInt = 1
    clip_norm: PositiveFloat | None = None
    ema: float | None = Field(default=None, gt=0.0, lt=1.0)
    distill: DistillSettings = DistillSettings()
    balance: str = "none"
    aggregate: str = "none"
    compute: ComputeSettings = ComputeSettings()
    logs: tuple[Literal["csv", "tensorboard"], ...] = ()

    @field_validator("balance")
    @classmethod
    def _known_balance(cls, name: str) -> str:
        return _known("balance", name, BALANCES)

    @field_validator("aggregate")
    @classmethod
    def _known_aggregation(cls, name: str) -> str:
        return _known("aggregation", name, AGGREGATIONS)

    def evaluation_batch(self, processes: int = 1) -> int:
        """Samples a batch when a network is evaluated: a process' part of a training batch, for one process does it."""
        return max(1, self.batch_size // processes)

    def for_tasks(self, num_tasks: int) -> "TrainingSettings":
        """The settings of a network of so many tasks: what several tasks need is not for one."""
        if num_tasks > 1:
            return self
        return self.model_copy(update={"distill": DistillSettings(), "balance": "none", "aggregate": "none"})


def _known(kind: str, name: str, known: Iterable[str]) -> str:
    names = ("none", *known)
    if name not in names:
        raise ValueError(f"there is no {kind} {name!r}; known are {', '.join(names)}")
    return name
