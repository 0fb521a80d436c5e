"""Trials: which separate searches an experiment consists of, and the resources that each may use."""

import json
import math
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from nas.fields import Settings


class _Range(Settings, ABC):
    @property
    @abstractmethod
    def extremes(self) -> tuple[Any, ...]:
        """Values of the range; if all of them are valid, the whole range is."""


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
        # An integer field accepts 2.0, but no value between two integers.
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
    """One of several values, each of them plain data."""

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
"""The field that holds a trial's budget; a range of this field proposes a single budget."""


class TrialsSettings(Settings):
    """The trials of an experiment: one for each pair of budget and seed, times `num_samples` if Optuna proposes values.

    Args:
        budgets: a separate search for each budget. By default one search gives the trees of all `goal.budgets`.
        seeds: the number of seeds, counted from the experiment's seed; or a list of seeds. The front recommends a tree
            of all seeds together (`nas.run.pooling`) if the strategy can pool them.
        ranges: the values that Optuna may propose, by the dotted name of a field of the experiment.
        num_samples: proposals for each pair of budget and seed.
        sampler: the sampler of Optuna.
        objectives: what Optuna optimises: "quality" (maximised) is that of a trial's best tree, "cost" (minimised) is
            the cost of this tree.
        study_file: the file of Optuna's study in the run folder: ``study.journal`` or ``study.db``.
        cpus: CPUs that each trial reserves; by default `num_threads`, or one if that is not set.
        gpus: GPUs that each trial reserves; 0.5 lets two trials share one. The default is one if the machine has GPUs
            and the experiment's device is not the CPU.
        concurrency: number of trials at a time; by default as many as fit.
        time_limit: seconds after which all trials stop (a single trial stops at the end of an epoch). A later command
            continues them.
        max_trials: trials with this number or a higher one do not run.
        max_failures: how often a trial continues from its checkpoint after a failure that the machine may have caused.
        scheduler: "asha" stops trials whose loss on the split "architecture" is among the worse ones at the same
            epoch (Li et al., MLSys 2020). It needs quality as the only objective.
        storage_uri: a URI (``s3://bucket/runs``) that every machine of a cluster can reach; checkpoints and files of
            the run are copied there. Without it, every machine must reach the run folder. The checkpoints of trials
            that Ray runs are only there; ``nas fetch`` downloads them.
        logs: beside each trial's ``metrics.jsonl``, "csv" writes ``metrics.csv`` and "tensorboard" a folder for
            TensorBoard.
    """

    budgets: tuple[PositiveFloat, ...] = ()
    seeds: PositiveInt | tuple[NonNegativeInt, ...] = 1
    ranges: dict[str, Range] = Field(default_factory=dict)
    num_samples: PositiveInt = 1
    sampler: Literal["tpe", "random", "qmc"] = "tpe"
    objectives: tuple[Literal["quality", "cost"], ...] = Field(default=("quality", "cost"), min_length=1)
    cpus: PositiveFloat | None = None
    gpus: NonNegativeFloat | None = None
    concurrency: PositiveInt | None = None
    time_limit: PositiveFloat | None = None
    max_trials: PositiveInt | None = None
    max_failures: NonNegativeInt = 3
    scheduler: Literal["asha"] | None = None
    storage_uri: str | None = None
    logs: tuple[Literal["csv", "tensorboard"], ...] = ()

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
            raise ValueError(f"ranges: {idle[0]!r} does not belong to a single search, so trials cannot vary it")
        if self.budgets and BUDGETS in self.ranges:
            raise ValueError(f"budgets and ranges of {BUDGETS!r} both set the budgets of trials; leave one of them out")
        if self.gpus is not None and self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"gpus must be below 1 or a whole number; found {self.gpus}")
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
        "logs",
    )
)
"""Fields that a resumed run may change: the number of trials, where they run, what they log; not what they compute."""
