"""The table of many trials: one row for each trial, as many rows as the terminal has room for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from nas.cli.amounts import format_quantity

if TYPE_CHECKING:
    from nas.run import Trial, TrialEvent

_STATES = {"started": "running", "epoch": "running", "retried": "waiting"}
"""The state of a trial after an event; other kinds of events have the name of the state."""

_ORDER = ("running", "failed", "waiting", "done", "stopped")
"""Trials in the first of these states are shown first if there is not enough room."""

_STYLES = {"failed": "red", "waiting": "dim", "done": "green", "stopped": "dim"}

_FEWEST_ROWS = 5


@dataclass
class _Row:
    trial: Trial
    state: str = "waiting"
    epoch: int = 0
    num_epochs: int = 0
    started: float = 0.0
    first_epoch: int = 0
    record: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def take(self, event: TrialEvent, now: float) -> None:
        self.trial, self.reason = event.trial, event.reason
        self.state = _STATES.get(event.kind, event.kind)
        if event.kind == "started":
            self.epoch = self.first_epoch = event.epochs_done
            self.num_epochs, self.started = event.num_epochs, now
        if event.kind == "epoch":
            self.epoch, self.record = self.epoch + 1, event.record

    def seconds_left(self, now: float) -> float | None:
        """Estimated from the mean time of the epochs since the start; None before the first epoch."""
        finished = self.epoch - self.first_epoch
        if self.state != "running" or finished == 0:
            return None
        # The running epoch counts as not begun, because its progress is unknown.
        return (now - self.started) / finished * (self.num_epochs - self.epoch)


class TrialTable:
    """The trials of a run and their progress, updated by events."""

    def __init__(self, trials: Sequence[Trial], resource: str) -> None:
        self.resource = resource
        self._rows = {trial.number: _Row(trial) for trial in trials}
        self._began = time.monotonic()
        self._epochs = 0

    def report(self, event: TrialEvent) -> None:
        self._rows[event.trial.number].take(event, time.monotonic())
        self._epochs += event.kind == "epoch"

    def progress_of(self, number: int) -> str:
        """``epoch 3/9``."""
        row = self._rows[number]
        return f"epoch {row.epoch}/{row.num_epochs}"

    def render(self, num_lines: int) -> Group:
        """The table for a terminal with `num_lines` lines, and a line about all trials."""
        room = max(_FEWEST_ROWS, num_lines - 6)
        chosen = sorted(self._rows.values(), key=lambda row: (_ORDER.index(row.state), row.trial.number))[:room]
        table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=True)
        for name in ("trial", "budget", "seed", "epoch", "expected cost", "left"):
            table.add_column(name, justify="right", no_wrap=True)
        # The ratio gives this column all remaining room.
        table.add_column("losses", no_wrap=True, overflow="ellipsis", ratio=1)
        now = time.monotonic()
        for row in sorted(chosen, key=lambda row: row.trial.number):
            table.add_row(*_cells(row, self.resource, now), style=_STYLES.get(row.state, ""))
        return Group(table, Text(self._summary(now), style="dim"))

    def _summary(self, now: float) -> str:
        counts = Counter(row.state for row in self._rows.values())
        parts = [
            f"{counts[state]} {state}" for state in ("done", "running", "waiting", "stopped", "failed") if counts[state]
        ]
        line = f"{len(self._rows)} trials: {', '.join(parts)}"
        if (left := self._seconds_left(now)) is not None:
            line += f"; about {duration(left)} left"
        return line

    def _seconds_left(self, now: float) -> float | None:
        """Estimated from the mean time of all epochs so far, in all trials together."""
        rows = self._rows.values()
        lengths = [row.num_epochs for row in rows if row.num_epochs]
        if not self._epochs:
            return None
        open_rows = [row for row in rows if row.state in ("running", "waiting")]
        mean = sum(lengths) / len(lengths)
        epochs = sum((row.num_epochs or mean) - row.epoch for row in open_rows)
        return (now - self._began) / self._epochs * epochs


def trial_name(trial: Trial) -> str:
    """``trial 3 (budget 0.7, seed 1)``."""
    parts = [f"budget {_budget(trial)}"] if _budget(trial) else []
    parts += [f"seed {trial.seed}"]
    parts += [f"{name} {_short(value)}" for name, value in trial.values.items() if name != "goal.budgets"]
    return f"trial {trial.number} ({', '.join(parts)})"


def duration(seconds: float) -> str:
    """``42 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _cells(row: _Row, resource: str, now: float) -> list[str]:
    left = row.seconds_left(now)
    epoch = f"{row.epoch}/{row.num_epochs}" if row.num_epochs else ""
    cost = row.record.get("expected_cost")
    return [
        str(row.trial.number),
        _budget(row.trial),
        str(row.trial.seed),
        epoch,
        "" if cost is None else format_quantity(cost, resource),
        row.state if row.state != "running" else "" if left is None else duration(left),
        row.reason or _losses(row.record),
    ]


def _losses(record: Mapping[str, Any]) -> str:
    tasks = record.get("weights", {}).get("tasks", {})
    return "  ".join(f"{name} {loss:.3f}" for name, loss in tasks.items())


def _budget(trial: Trial) -> str:
    proposed = trial.values.get("goal.budgets")
    value = proposed if trial.budget is None else trial.budget
    return "" if value is None else _short(value)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
