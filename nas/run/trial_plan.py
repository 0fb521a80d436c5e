"""The trials of an experiment, and events that report their progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from nas.recipe.trial_settings import BUDGETS

if TYPE_CHECKING:
    from nas.recipe import Experiment


@dataclass(frozen=True)
class Trial:
    """One search of a run: its number, its budget (None: all of `goal.budgets`), its seed, and proposed values."""

    number: int
    budget: float | None
    seed: int
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changes(self) -> dict[str, Any]:
        """The changes (`Experiment.with_fields`) that make the trial's experiment from the run's."""
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
            "failed", or "retried" (it failed and continues from its checkpoint).
        record: the record of a finished epoch, as in ``metrics.jsonl``; only for "epoch".
        num_epochs: number of epochs of the whole search; only for "started".
        epochs_done: number of epochs in the checkpoint; only for "started".
        reason: why it failed; only for "failed" and "retried".
    """

    kind: Literal["started", "epoch", "done", "stopped", "failed", "retried"]
    trial: Trial
    record: Mapping[str, Any] = field(default_factory=dict)
    num_epochs: int = 0
    epochs_done: int = 0
    reason: str = ""


def plan_trials(experiment: Experiment) -> list[Trial]:
    """All trials in the order of their numbers, without the values that Optuna will propose.

    All budgets of the first seed come first, so that they give a whole front early; then those of the next seed. With
    several proposals, all pairs of budget and seed come once before they come again.
    """
    settings = experiment.trials
    budgets: tuple[float | None, ...] = settings.budgets or (None,)
    pairs = [(budget, seed) for seed in settings.seeds_from(experiment.seed) for budget in budgets]
    total = len(pairs) * settings.num_samples
    count = total if settings.max_trials is None else min(total, settings.max_trials)
    return [Trial(number, *pairs[number % len(pairs)]) for number in range(count)]


def trial_threads(experiment: Experiment) -> int:
    """Threads of each trial if there are several: `num_threads`, or the number of CPUs that a trial reserves."""
    return experiment.num_threads or max(1, int(experiment.trials.cpus or 1))


def check_ranges(experiment: Experiment) -> None:
    """InputError unless all values of all ranges are valid for their fields."""
    for name, interval in experiment.trials.ranges.items():
        for value in interval.extremes:
            Trial(0, None, experiment.seed, {name: value}).experiment(experiment)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
