"""The settings of the search that merges blocks while it trains."""

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.fields import Settings
from nas.strategies.affinity.training_data import Splits


class MergingSettings(Settings):
    """Settings of the training and of the comparison of features; it runs in float32.

    Args:
        epochs: passes over the splits.
        warmup: the first epochs, before the first merge. In the others, the cost of the tree falls linearly from that
            of the tree without merges to the smallest budget.
        batch_size: samples per batch, at least two for batch statistics.
        splits: the splits to train on.
        weights: the optimiser.
        schedule: how the learning rate changes, step by step.
        num_rows: number of rows (samples, or positions in samples) on which the features of a block are compared.
    """

    epochs: PositiveInt = 20
    warmup: NonNegativeInt = 5
    batch_size: int = Field(default=64, ge=2)
    splits: Splits = Field(default=("train", "architecture"), min_length=1)
    weights: OptimizerSettings = OptimizerSettings(kind="adam", lr=1e-3, weight_decay=1e-4)
    schedule: ScheduleSettings = ScheduleSettings(kind="cosine")
    num_rows: int = Field(default=2048, ge=16)

    @model_validator(mode="after")
    def _leaves_epochs_for_merges(self) -> "MergingSettings":
        if self.warmup >= self.epochs:
            raise ValueError(f"warmup {self.warmup} leaves none of {self.epochs} epochs for merges; take fewer")
        return self
