"""The settings of the similarity search."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.fields import Settings
from nas.strategies.similarity.measures import Measure


class SimilaritySettings(Settings):
    """Settings of the training of own copies and of their comparison.

    Args:
        copies: number of networks for each task, behind one stem. Two or more give a noise floor; one does not (see
            `nas.strategies.similarity.Dissimilarity`).
        epochs: passes over the splits.
        patience: stop before the last epoch if the trees within the budgets, and the one without, were the same after
            so many epochs in a row, and every task has learned. The schedule does not change. By default all epochs are
            trained, since trees can be the same for a third of a training and wrong (``runs/LOG.md``, 2026-11-27).
        batch_size: samples per batch, at least two for batch statistics.
        splits: the splits to train on; by default all that retraining uses, since there are no logits to train.
        weights: the optimiser.
        schedule: how the learning rate changes, step by step.
        measure: the measure of similarity: variance explained by a linear map ("r2"), linear CKA ("cka"), or the rank
            correlation of representation dissimilarities ("rdm"); see `nas.strategies.similarity.measures`.
        of: what is compared: the trained "features", or their "changes" from those of the same weights before
            training.
        num_rows: number of rows (samples, or positions in samples) on which the features of a block are compared.
        tolerance: for the tree that the search chooses without a budget: tasks that differ by less than this many times
            the noise floor are not separated. It is above 1, since tasks that share a block well still use different
            parts of its features: planted trees of unknown cost are found at 2.25 (adjusted Rand index 0.75 to 0.90)
            and not at 1 (0.0 to 0.1: tools/evidence.py).
        candidates, checkpoint_activations, compute: how the copies run, as in `nas.strategies.Gradient`.
    """

    copies: int = Field(default=2, ge=1, le=8)
    epochs: PositiveInt = 20
    patience: int | None = Field(default=None, ge=2)
    batch_size: int = Field(default=64, ge=2)
    splits: tuple[Literal["train", "architecture"], ...] = Field(default=("train", "architecture"), min_length=1)
    weights: OptimizerSettings = OptimizerSettings(kind="adam", lr=1e-3, weight_decay=1e-4)
    schedule: ScheduleSettings = ScheduleSettings(kind="cosine")
    measure: Measure = "r2"
    num_rows: int = Field(default=4096, ge=16)
    tolerance: NonNegativeFloat = 2.25
    candidates: Literal["auto", "plain", "batched"] = "auto"
    checkpoint_activations: bool = False
    compute: ComputeSettings = ComputeSettings()
