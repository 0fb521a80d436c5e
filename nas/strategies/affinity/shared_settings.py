"""The settings of a training of the fully shared network, in which steps are measured."""

from pydantic import Field, PositiveInt

from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.fields import Settings
from nas.strategies.affinity.training_data import Splits


class SharedNetworkSettings(Settings):
    """Settings of the training of the fully shared network; it runs in float32.

    Args:
        epochs: passes over the splits.
        batch_size: samples per batch; each half of a measured batch needs two for batch statistics.
        splits: the splits to train on.
        weights: the optimiser.
        schedule: how the learning rate changes, step by step.
        every: every so many steps are measured, beginning with the first of each epoch.
    """

    epochs: PositiveInt = 20
    batch_size: int = Field(default=64, ge=4)
    splits: Splits = Field(default=("train", "architecture"), min_length=1)
    weights: OptimizerSettings = OptimizerSettings(kind="adam", lr=1e-3, weight_decay=1e-4)
    schedule: ScheduleSettings = ScheduleSettings(kind="cosine")
    every: PositiveInt = 5

    @property
    def num_epochs(self) -> int:
        return self.epochs
