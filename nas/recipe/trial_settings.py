"""Trials: which separate searches an experiment consists of, and what each of them may use."""

import json
import math
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)


class _Range(BaseModel, ABC):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    @abstractmethod
    def extremes(self) -> tuple[Any, ...]:
        """Values that must be valid for all of the range to be."""


class _Interval(_Range):
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> "_Interval":
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"low must be below high; found {self.low} and {self.high}")
        return self

    @property
    def extremes(self) -> tuple[Any, ...]:
        # An integer's field takes 2.0, but not what lies between.
        return (self.low, self.high, self.low + (self.high - self.low) / math.pi)


class Uniform(_Interval):
    """A real number in [low, high]."""

    kind: Literal["uniform"] = "uniform"


class LogUniform(_Interval):
    """A positive real number in [low, high] whose logarithm is uniform."""

    kind: Literal["loguniform"] = "loguniform"
    low: PositiveFloat


class Int(_Range):
    """An integer in [low, high], both included."""

    kind: Literal["int"] = "int"
    low: int
    high: int

    @model_validator(mode="after")
    def _ordered(self) -> "Int":
        if self.low >= self.high:
            raise ValueError(f"low must be below high; found {self.low} and {self.high}")
        return self

    @property
    def extremes(self) -> tuple[Any, ...]:
        return (self.low, self.high)


class OneOf(_Range):
    """One of some values, each plain data."""

    kind: Literal["choice"] = "choice"
    values: tuple[Any, ...] = Field(min_length=2)

    @field_validator("values")
    @classmethod
    def _plain(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        try:
            texts = [json.dumps(value, allow_nan=False) for value in values]
        except (TypeError, ValueError) as error:
            raise ValueError(f"values to choose from must be plain data ({error})") from None
        if len(set(texts)) < len(texts):
            raise ValueError("a value occurs twice")
        return values

    @property
    def extremes(self) -> tuple[Any, ...]:
        return self.values


_KINDS = {"uniform": "low, high", "loguniform": "low, high", "int": "low, high", "choice": "values"}


def _require_kind(value: Any) -> Any:
    if isinstance(value, _Range) or (isinstance(value, Mapping) and value.get("kind") in tuple(_KINDS)):
        return value
    known = ", ".join(f"{kind!r} ({fields})" for kind, fields in _KINDS.items())
    raise ValueError(
        f"a range is a mapping whose 'kind' is one of {known}, such as {{'kind': 'uniform', 'low': 0.1, 'high': 1}}; "
        f"found {reprlib.repr(value)}"
    )


Range = Annotated[Uniform | LogUniform | Int | OneOf, Field(discriminator="kind"), BeforeValidator(_require_kind)]

BUDGETS = "goal.budgets"
"""The field that a trial's budget is put into; a range of this name proposes one budget."""


class TrialsSettings(BaseModel):
    """The trials of an experiment: budgets x seeds, or as often as `num_samples` with values that Optuna proposes.

    Args:
        budgets: a separate search for each, as `goal.budgets` of one value; one training for all of
            `goal.budgets` if left out.
        seeds: that many seeds, counted from the experiment's; or the seeds.
        ranges: what Optuna proposes, by the dotted name of a field of the experiment.
        num_samples: proposals for each pair of budget and seed.
        sampler: how Optuna proposes.
        objectives: what Optuna looks at. "quality" (to be high) is that of a trial's best tree, "cost" (to be low)
            the cost of this tree.
        study_file: how Optuna's study is kept in the run folder: ``study.journal`` or ``study.db``.
        cpus: reserved for a trial; as many as `num_threads` (one, if that is left out, too).
        gpus: reserved for a trial, 0.5 for two trials on one; if left out, one where there are any and the experiment's
            device is not the CPU.
        concurrency: trials at a time; as many as fit, if left out.
        time_limit: seconds after which trials are stopped, a single one at the end of an epoch; a later command goes
            on with them.
        max_trials: no trial of a higher number is run.
        max_failures: how often a trial goes on from its checkpoint after a failure that may be the machine's.
        scheduler: "asha" stops trials whose loss on the architecture's split is among the worse ones of those
            that got as far (Li et al., MLSys 2020); only where quality is the one objective.
        storage_uri: where the trials' checkpoints and the run's files are copied to: a URI (``s3://bucket/runs``) that
            every machine of a cluster reaches. Without it, every machine must reach the run folder. Checkpoints of
            trials that Ray runs are there alone; ``nas fetch`` brings them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    budgets: tuple[PositiveFloat, ...] = ()
    seeds: PositiveInt | tuple[NonNegativeInt, ...] = 1
    ranges: dict[str, Range] = {}
    num_samples: PositiveInt = 1
    sampler: Literal["tpe", "random", "nsga2", "nsga3", "qmc"] = "tpe"
    objectives: tuple[Literal["quality", "cost"], ...] = Field(default=("quality", "cost"), min_length=1)
    study_file: Literal["journal", "sqlite"] = "journal"
    cpus: PositiveFloat | None = None
    gpus: NonNegativeFloat | None = None
    concurrency: PositiveInt | None = None
    time_limit: PositiveFloat | None = None
    max_trials: PositiveInt | None = None
    max_failures: NonNegativeInt = 3
    scheduler: Literal["asha"] | None = None
    storage_uri: str | None = None

    @field_validator("budgets", "seeds", "objectives")
    @classmethod
    def _distinct(cls, values: Any) -> Any:
        if isinstance(values, tuple) and len(set(values)) < len(values):
            raise ValueError(f"a value occurs twice in {list(values)}")
        return values

    @model_validator(mode="after")
    def _consistent(self) -> "TrialsSettings":
        if self.seeds == ():
            raise ValueError("seeds: name at least one")
        if not self.ranges and self.num_samples > 1:
            raise ValueError(f"num_samples is {self.num_samples}, but there are no ranges to sample from")
        if idle := [name for name in self.ranges if name.partition(".")[0] in _NOT_PROPOSED]:
            raise ValueError(f"ranges: {idle[0]!r} is no setting of a single search, so nothing can be proposed for it")
        if self.budgets and BUDGETS in self.ranges:
            raise ValueError(f"budgets are listed and proposed (ranges of {BUDGETS!r}); leave one of them out")
        if self.gpus is not None and self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"gpus must be a share of one, or a whole number; found {self.gpus}")
        if self.scheduler == "asha":
            self._check_asha()
        return self

    def _check_asha(self) -> None:
        if self.objectives != ("quality",):
            raise ValueError("asha compares trials by one number: set objectives to ['quality']")
        if len(self.budgets) > 1 or BUDGETS in self.ranges:
            raise ValueError("asha would stop the trials of small budgets, whose losses are higher; name one budget")
        if lengths := [name for name in self.ranges if name in _LENGTHS]:
            raise ValueError(f"asha needs trials of one length: take {', '.join(map(repr, lengths))} out of the ranges")

    def seeds_from(self, first: int) -> tuple[int, ...]:
        """The seeds, for an experiment whose own seed is `first`."""
        return self.seeds if isinstance(self.seeds, tuple) else tuple(range(first, first + self.seeds))


_NOT_PROPOSED = frozenset(("seed", "trials", "processes", "compare"))

_LENGTHS = frozenset(("strategy", "strategy.epochs", "strategy.warmup", "strategy.init", "strategy.init.epochs"))
"""Fields that say how many epochs a trial has, or which of them have a loss to compare."""

EXTENDABLE = frozenset(
    f"trials.{name}"
    for name in (
        "num_samples",
        "cpus",
        "gpus",
        "concurrency",
        "time_limit",
        "max_trials",
        "max_failures",
        "storage_uri",
    )
)
"""Fields that a resumed run may change: how many trials there are and where they run, but not what one is."""
