"""The trials of an experiment, one by one, and what happens to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nas.recipe.experiment import Experiment
from nas.recipe.trial_settings import BUDGETS


@dataclass(frozen=True)
class Trial:
    """One search of a run: its number, its budget (None: all of `goal.budgets`), its seed, and proposed values."""

    number: int
    budget: float | None
    seed: int
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changes(self) -> dict[str, Any]:
        """What distinguishes the trial's experiment from the run's, as `Experiment.with_fields` takes it."""
        changes = {
            name: [value] if name == BUDGETS and _is_number(value) else value for name, value in self.values.items()
        }
        if self.budget is not None:
            changes[BUDGETS] = [self.budget]
        return {**changes, "seed": self.seed}

    def to_dict(self) -> dict[str, Any]:
        return {"number": self.number, "budget": self.budget, "seed": self.seed, "values": dict(self.values)}

    def experiment(self, whole: Experiment) -> Experiment:
        """The trial's own experiment, validated; InputError if a proposed value is not allowed."""
        return whole.with_fields(self.changes)


@dataclass(frozen=True)
class TrialEvent:
    """Something that happened to a trial.

    Args:
        kind: "started" (again after a failure or on another machine), "epoch", "done", "stopped" (by the scheduler),
            "failed", or "retried" (it failed and goes on from its checkpoint).
        record: of a finished epoch, as in ``metrics.jsonl``.
        num_epochs: of the whole search; of "started" alone.
        epochs_done: how many epochs are in the checkpoint; of "started" alone.
        reason: of "failed" and "retried".
    """

    kind: Literal["started", "epoch", "done", "stopped", "failed", "retried"]
    trial: Trial
    record: Mapping[str, Any] = field(default_factory=dict)
    num_epochs: int = 0
    epochs_done: int = 0
    reason: str = ""


def plan_trials(experiment: Experiment) -> list[Trial]:
    """All trials in the order of their numbers; what Optuna proposes is not in them yet.

    A budget's turn comes before a seed's, so that the first seeds give a whole front, and all pairs have had their
    turn before the next proposals.
    """
    settings = experiment.trials
    budgets: tuple[float | None, ...] = settings.budgets or (None,)
    pairs = [(budget, seed) for seed in settings.seeds_from(experiment.seed) for budget in budgets]
    total = len(pairs) * settings.num_samples
    count = total if settings.max_trials is None else min(total, settings.max_trials)
    return [Trial(number, *pairs[number % len(pairs)]) for number in range(count)]


def trial_threads(experiment: Experiment) -> int:
    """Threads of each of several trials: what the recipe says, or those of the CPUs it reserves for one."""
    return experiment.num_threads or max(1, int(experiment.trials.cpus or 1))


def check_ranges(experiment: Experiment) -> None:
    """InputError unless the fields of all ranges take all their values."""
    for name, interval in experiment.trials.ranges.items():
        for value in interval.extremes:
            Trial(0, None, experiment.seed, {name: value}).experiment(experiment)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
