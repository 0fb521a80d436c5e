"""What a search by similarity can be told."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt

from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.strategies.similarity.measures import Measure


class SimilaritySettings(BaseModel):
    """Settings of the own-copy warm-up and of what is read from it.

    Args:
        copies: own networks of each task, behind one stem. Two give the noise floor; one has none (see
            `nas.strategies.similarity.Dissimilarity`).
        epochs: passes over the splits.
        batch_size: batch statistics need two samples.
        splits: what is trained on; all that retraining sees by default, since no logits are learned.
        weights: the optimiser.
        schedule: the learning rate's course, per step.
        measure: of similarity: variance explained by a linear map ("r2"), linear CKA, or the rank correlation of
            representation dissimilarities ("rdm"); see `nas.strategies.similarity.measures`.
        num_rows: rows that the features of a block are compared on: samples, or positions of samples.
        tolerance: how many times the noise floor two tasks may differ and still be better together, in the tree that
            the search chooses without a budget. More than once, since tasks that share a block read different things
            from it: planted trees of unknown cost are found at 2.25 (0.75 to 0.90 of the adjusted Rand index), and
            not at 1 (0.0 to 0.1: tools/evidence.py).
        candidates, checkpoint_activations, compute: how the copies run; as in `nas.strategies.gradient.SearchSettings`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    copies: int = Field(default=2, ge=1, le=8)
    epochs: PositiveInt = 20
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
