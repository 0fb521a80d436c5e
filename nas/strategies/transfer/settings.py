"""The settings of the measured search, and what every search that trains trees may spend."""

from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

from nas.fields import Settings
from nas.strategies.similarity.settings import SimilaritySettings


def _named_start(value: Any) -> Any:
    return SimilaritySettings() if value == "similarity" else value


class SpendingSettings(Settings):
    """What a search that trains trees may spend, and on what.

    A training is one full training (`retrain.epochs`) of a tree that costs as much as the largest budget; shorter
    trainings and cheaper trees count less.

    Args:
        trainings: the search spends at most so many.
        hours: if set, the search starts no training after which it would have trained for longer, by the time of the
            trainings before. Trainings in parallel count one after the other.
        length: length of a short training as a share of a full one.
        batch: number of trees that are chosen at a time. With more than one the search runs on Ray and trains as many
            of them in parallel as there is room for. The result depends on this number, not on the room.
        finals: number of trees for each budget that are trained to the full length at the end.
    """

    trainings: PositiveFloat = 10.0
    hours: PositiveFloat | None = None
    length: float = Field(default=0.3, gt=0.0, le=1.0)
    batch: PositiveInt = 1
    finals: NonNegativeInt = 2


class TransferSettings(SpendingSettings):
    """Settings of the measured search.

    Args:
        trainings: the search spends at most so many, those of ``start`` included.
        start: settings of the similarity search that the prior comes from, "similarity" for the default ones, or None
            for a search without it.
        margin: the search stops early if no other tree is likely to gain so much more, in percent of a task's loss on
            average over the tasks.
        chance: what likely means: the probability that another tree gains `margin` more.
    """

    start: Annotated[SimilaritySettings | None, BeforeValidator(_named_start)] = SimilaritySettings()
    margin: PositiveFloat = 0.5
    chance: float = Field(default=0.05, ge=0.0, lt=1.0)

    @field_validator("start")
    @classmethod
    def _reads_tolerance(cls, start: SimilaritySettings | None) -> SimilaritySettings | None:
        default = SimilaritySettings.model_fields["tolerance"].default
        if start is not None and start.patience is None and start.tolerance != default:
            raise ValueError(
                f"tolerance {start.tolerance:g}: only start.patience reads it in a measured search; leave it out"
            )
        return start
