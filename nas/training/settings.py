"""The settings of retraining."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator

from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.errors import no_such
from nas.fields import Settings
from nas.training.logs import LogKind
from nas.training.methods import AGGREGATIONS, BALANCES


class DistillSettings(Settings):
    """Distillation: learning from single-task networks, which are trained first with the same recipe and seed.

    Args:
        weight: weight of the difference from a teacher's outputs, relative to the task's loss; 0 for no distillation.
        temperature: tau, for tasks whose outputs are classes; other tasks do not use it.
    """

    weight: NonNegativeFloat = 0.0
    temperature: PositiveFloat = 2.0


class TrainingSettings(Settings):
    """Settings of training a discrete network, the same for found trees and for their baselines.

    Args:
        epochs: passes over the training splits.
        batch_size: samples per batch, at least two for batch statistics. The samples of an epoch are shuffled, and an
            incomplete last batch is dropped. Networks are evaluated with the same batch size.
        splits: the splits to train on; by default "train" and "architecture", which are all that the search saw.
        optimizer: see `OptimizerSettings`.
        schedule: how the learning rate changes, step by step.
        shared_lr: "divided" gives a part that k tasks use 1/k of the learning rate, as BMTAS's paper does
            (otherwise its fully shared baseline is not reproduced); "same" gives all parts the same rate.
        patience: stop when this many epochs in a row did not lower the score; None trains to the end. The schedule
            does not change.
        stop_on: the score that decides the best epoch and patience, as weights of validation losses (``"depth"``) and
            metrics (``"depth.rmse"``; with a minus where higher is better). By default the total validation loss.
        accumulate: number of batches whose gradients make one step. The step equals that of one larger batch except
            for batch statistics. The last step of an epoch has the remaining batches.
        clip_norm: largest norm of a step's gradient over all parameters; a longer gradient is scaled down to it.
        ema: decay of an exponential moving average of the weights. The average is then evaluated and kept instead of
            the weights.
        distill: see `DistillSettings`.
        balance: "none", or factors of the tasks' losses beside their weights: see `nas.training.balance`.
        aggregate: "none", or how the gradients of the tasks that share a node of the tree are combined: see
            `nas.training.aggregate`. Single-task networks do not use distill, balance and aggregate.
        compute: precision, memory format, compilation. Evaluation is always in float32.
        logs: beside ``metrics.jsonl``, "csv" writes ``metrics.csv`` and "tensorboard" a folder for TensorBoard.
    """

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
    logs: tuple[LogKind, ...] = ()

    @field_validator("balance")
    @classmethod
    def _known_balance(cls, name: str) -> str:
        return _known("balance", name, BALANCES)

    @field_validator("aggregate")
    @classmethod
    def _known_aggregation(cls, name: str) -> str:
        return _known("aggregation", name, AGGREGATIONS)

    def evaluation_batch(self, processes: int = 1) -> int:
        """Batch size of evaluation: one process' share of a training batch, since one process evaluates alone."""
        return max(1, self.batch_size // processes)

    def for_tasks(self, num_tasks: int) -> "TrainingSettings":
        """The settings for a number of tasks: distillation, balance and aggregation are off for a single task."""
        if num_tasks > 1:
            return self
        return self.model_copy(update={"distill": DistillSettings(), "balance": "none", "aggregate": "none"})


def _known(kind: str, name: str, known: Iterable[str]) -> str:
    names = ("none", *known)
    if name not in names:
        raise ValueError(no_such(kind, name, names))
    return name
