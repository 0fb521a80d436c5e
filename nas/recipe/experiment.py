"""The experiment: what a recipe returns, typed and validated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationInfo,
    model_validator,
)

from nas.cost import find_resource
from nas.fields import Settings
from nas.limits import MAX_THREADS, MOST_TASKS
from nas.recipe.lazy import Lazy
from nas.recipe.overrides import apply_changes
from nas.recipe.trial_settings import TrialsSettings
from nas.strategies import STRATEGIES, Goal, Similarity, Strategy
from nas.strategies.names import strategy_named
from nas.strategies.protocol import check_goal, num_compared_epochs, num_epochs, shared_trainings
from nas.tasks import Task
from nas.training import TrainingSettings


class CompareSettings(Settings):
    """What `compare` trains beside the found trees.

    Args:
        seeds: each network is trained once per seed; use at least three for a meaningful spread.
        random_trees: number of random trees of (nearly) the same cost for each found tree.
        tolerance: how far a random tree's cost may be below the found tree's cost, as a share.
    """

    seeds: tuple[NonNegativeInt, ...] = Field(default=(0, 1, 2), min_length=1)
    random_trees: NonNegativeInt = 3
    tolerance: float = Field(default=0.05, gt=0.0, lt=1.0)


def _as_lazy(value: Any) -> Any:
    return Lazy(value) if callable(value) and not isinstance(value, Lazy) else value


def _as_strategy(value: Any, info: ValidationInfo) -> Any:
    """The strategy with this name (the recipe's own ones first), or the given object if it is a strategy."""
    own = info.data.get("strategies", {})
    if isinstance(value, str):
        return strategy_named(value, own)
    if not isinstance(value, Strategy) or isinstance(value, type):
        raise ValueError(
            f"a strategy is a name ({', '.join({**own, **STRATEGIES})}) or an object with a method search(problem); "
            f"found {type(value).__name__}"
        )
    return value


LazyObject = Annotated[Lazy, BeforeValidator(_as_lazy)]


class Experiment(Settings):
    """Everything a run depends on. Building one does no I/O.

    Args:
        tasks: the tasks, each name once; by default those that the data source states as its attribute ``tasks``.
        backbone: a lazy object that makes a backbone (`nas.networks.backbone.Backbone`).
        data: a lazy object that makes a data source (`nas.data.DataSource`).
        input_shape: shape of one sample, without the batch; costs are measured at it. By default that of the first
            training sample.
        goal: which trees are wanted.
        strategy: how they are found. ``Similarity(...)`` compares own copies of every task, ``Gradient(...)`` trains
            the logits of a supernet, ``bmtas()`` is its published setting, ``ParentChoice(...)`` trains another kind of
            supernet, ``ltb()`` is its published setting, and ``Transfer(...)`` measures trainings of trees. Any other
            object of the protocol (`nas.strategies.protocol`) works, too, and so does a name of
            `nas.strategies.STRATEGIES`. The default found better trees at a lower cost (tools/evidence.py,
            runs/LOG.md).
        strategies: by name, strategies with settings for this recipe; ``strategy`` and ``--strategy`` can name them.
            Names of `nas.strategies.STRATEGIES` that are not listed here mean the default settings.
        retrain: settings of training discrete networks.
        compare: what found trees are compared with.
        trials: the separate searches of the experiment; by default one.
        seed: seed of all random numbers.
        device: "cpu", "cuda", "cuda:1", ...; "auto" is a GPU if there is one.
        num_threads: torch's threads on the CPU. Results are equal bit for bit only for the same number, so it is part
            of the experiment. By default it is torch's number on the machine that starts the run; the run folder
            records it, and a resumed run keeps it.
        num_workers: number of processes that load samples.
        processes: number of processes that share each batch of searches, measurements and retrainings: equal parts,
            averaged gradients, and batch statistics over the whole batch (`nas.engine.Ranks`). The result differs from
            that of one process only by rounding, and by dropout, whose masks differ between processes. Each process
            reserves `trials.cpus` and `trials.gpus` and uses `num_threads`. Ray Train starts the processes.
        latency: file of a latency table (``nas profile RECIPE --latency FILE``), for ``goal.resource="ms"``.
        allow_uncounted_macs: accept budgets in MACs although some operators of the backbone cannot be counted
            (`nas.cost.operators`). The budgets then apply to the counted part. Otherwise such budgets are refused.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    tasks: tuple[Task, ...] = Field(default=(), max_length=MOST_TASKS)
    backbone: LazyObject
    data: LazyObject
    input_shape: tuple[PositiveInt, ...] = ()
    goal: Goal = Goal()
    strategies: Mapping[str, Annotated[Any, BeforeValidator(_as_strategy)]] = {}
    strategy: Annotated[Any, BeforeValidator(_as_strategy)] = Similarity()
    retrain: TrainingSettings = TrainingSettings()
    compare: CompareSettings = CompareSettings()
    trials: TrialsSettings = TrialsSettings()
    seed: NonNegativeInt = 0
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$")
    num_threads: int | None = Field(default=None, ge=1, le=MAX_THREADS)
    num_workers: int = Field(default=0, ge=0, le=MAX_THREADS)
    processes: int = Field(default=1, ge=1, le=MAX_THREADS)
    latency: Path | None = None
    allow_uncounted_macs: bool = False

    @model_validator(mode="before")
    @classmethod
    def _no_old_fields(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and (old := sorted({"search", "similarity"} & fields.keys())):
            raise ValueError(
                f"{' and '.join(old)}: write goal=Goal(budgets=..., resource=..., constraints=..., measure=...), "
                "which trees are wanted, and strategy=Similarity(...), Gradient(...) or bmtas(), how they are found"
            )
        return fields

    @model_validator(mode="after")
    def _distinct_names(self) -> "Experiment":
        names = [task.name for task in self.tasks]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"task names must be distinct; {doubled} occur more than once")
        return self

    @model_validator(mode="after")
    def _strategy_serves(self) -> "Experiment":
        check_goal(self.strategy, self.goal)
        if self.trials.scheduler is not None and not num_compared_epochs(self.strategy):
            raise ValueError(
                f"trials.scheduler {self.trials.scheduler!r}: strategy {type(self.strategy).__name__} has no losses to "
                "stop trials by; leave trials.scheduler out"
            )
        return self

    @model_validator(mode="after")
    def _latency_is_measured(self) -> "Experiment":
        if find_resource(self.goal.resource).needs_latency and self.latency is None:
            raise ValueError(
                f"goal.resource {self.goal.resource!r} needs a latency table: measure one with nas profile RECIPE "
                "--latency FILE, then set latency to FILE"
            )
        return self

    @model_validator(mode="after")
    def _device_is_reserved(self) -> "Experiment":
        if self.trials.gpus and self.device == "cpu":
            raise ValueError(
                f"trials.gpus reserves {self.trials.gpus:g} GPUs, but the device is 'cpu'; set device to 'cuda'"
            )
        return self

    @model_validator(mode="after")
    def _can_be_shared(self) -> "Experiment":
        if self.processes == 1:
            return self
        shared = shared_trainings(self.strategy)
        if shared is None:
            raise ValueError(
                f"processes {self.processes}: strategy {type(self.strategy).__name__} does not share batches; "
                "set processes to 1"
            )
        for name, settings in {"retrain": self.retrain, **shared}.items():
            if settings.batch_size % self.processes:
                raise ValueError(
                    f"{self.processes} processes cannot share batches of {name}.batch_size {settings.batch_size} "
                    f"equally; make it a multiple of {self.processes}"
                )
            if settings.compute.compile:
                raise ValueError(
                    f"{name}.compute.compile: compiled parts cannot exchange batch statistics; set it to false, "
                    "or processes to 1"
                )
        if self.trials.time_limit is not None:
            raise ValueError("trials.time_limit does not end a trial that several processes share; leave it out")
        if ":" in self.device:
            raise ValueError(f"device {self.device!r} is one GPU, and each process has its own; set device to 'cuda'")
        return self

    @property
    def task_names(self) -> tuple[str, ...]:
        return tuple(task.name for task in self.tasks)

    @property
    def num_epochs(self) -> int:
        """Epochs of one search."""
        return num_epochs(self.strategy)

    def with_fields(self, changes: dict[str, Any]) -> "Experiment":
        """A variant with fields changed by dotted names, validated again: ``{"strategy.epochs": 5}``.

        Raises:
            InputError: no such field, or a value that it cannot have.
        """
        return apply_changes(self, changes)
