"""Show progress on standard error: a live display in a terminal, or else one line for each event."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from nas.cli.amounts import format_quantity
from nas.cli.trial_table import TrialTable, trial_name
from nas.steps import listening

if TYPE_CHECKING:
    from nas.run import Trial, TrialEvent

_PATIENCE = 2.0
"""Seconds that a command without epochs works before its progress is shown."""


class Display:
    """Shows a progress bar of epochs with a line of figures below it, or a table of trials."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = _bar(console)
        self.figures = Text(style="dim", no_wrap=True, overflow="ellipsis")
        self.label = ""
        self.started = time.monotonic()
        self.trials: TrialTable | None = None
        self.resource = "macs"

    def begin(self, label: str, total: int, done: int = 0) -> None:
        """Begin work of `total` epochs; the first `done` are finished."""
        self.trials = None
        for bar in self.progress.task_ids:
            self.progress.remove_task(bar)
        self.progress.add_task(label, total=total, completed=done)
        self.figures.plain = ""
        self.label, self.started = label, time.monotonic()
        self._say(f"{label}: {total - done} epochs to go")

    def step(self, what: str, done: int, total: int) -> None:
        """Work before the first epoch: labels that are read, for instance."""
        if not self.progress.tasks:
            self.figures.plain = f"{what}: {done}/{total}"

    def advance(self, figures: str) -> None:
        """One more epoch is finished; figures describe it."""
        (bar,) = self.progress.tasks
        self.progress.advance(bar.id)
        self.figures.plain = figures
        seconds = time.monotonic() - self.started
        self._say(f"{self.label}: epoch {bar.completed:g}/{bar.total:g}, {seconds:.0f} s, {figures}")

    def begin_trials(self, trials: Sequence[Trial], resource: str) -> None:
        """Trials begin; if there are several, a table shows them."""
        self.resource = resource
        if len(trials) > 1:
            self.trials = TrialTable(trials, resource)
            self._say(f"search: {len(trials)} trials")

    def report(self, event: TrialEvent) -> None:
        """Show an event of a trial."""
        if self.trials is not None:
            self.trials.report(event)
            self._say(self._event_line(event, self.trials))
        elif event.kind == "started":
            self.begin("search", event.num_epochs, event.epochs_done)
        elif event.kind == "epoch":
            self.advance(search_figures(event.record, self.resource))

    def _event_line(self, event: TrialEvent, table: TrialTable) -> str:
        name = trial_name(event.trial)
        match event.kind:
            case "started":
                return f"{name}: {event.num_epochs - event.epochs_done} epochs to go"
            case "epoch":
                seconds = time.monotonic() - self.started
                figures = search_figures(event.record, self.resource)
                return f"{name}: {table.progress_of(event.trial.number)}, {seconds:.0f} s, {figures}"
            case "retried":
                return f"{name}: will continue from its checkpoint: {event.reason}"
            case "failed":
                return f"{name}: failed: {event.reason}"
            case "stopped":
                return f"{name}: stopped by the scheduler"
        return f"{name}: done"

    def render(self) -> Group:
        """The content of the live display."""
        if self.trials is not None:
            return self.trials.render(self.console.height)
        if self.progress.tasks:
            return Group(self.progress, self.figures)
        return Group(self.figures) if self.figures.plain else Group()

    def _say(self, line: str) -> None:
        if not self.console.is_terminal:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def display() -> Iterator[Display]:
    """A display on standard error for as long as the block runs, with `quiet_output`."""
    with quiet_output():
        shown = Display(Console(stderr=True))
        if not shown.console.is_terminal:
            yield shown
            return
        # Figures are on a separate line, because with them the bar would not fit into 80 columns.
        with listening(shown.step), Live(get_renderable=shown.render, console=shown.console):
            yield shown


class Steps:
    """Shows how far a command without epochs is, once it has taken longer than `_PATIENCE`."""

    def __init__(self, name: str, console: Console) -> None:
        self.progress = _bar(console)
        self.bar = self.progress.add_task(name, total=None)
        self.started = time.monotonic()

    def step(self, what: str, done: int, total: int) -> None:
        if done == 0:
            self.progress.reset(self.bar, description=what, total=total)
        self.progress.update(self.bar, description=what, completed=done, total=total)

    def render(self) -> Group:
        waited = time.monotonic() - self.started > _PATIENCE
        return Group(self.progress) if waited else Group()


@contextmanager
def working(name: str) -> Iterator[Steps]:
    """Show the steps of a command on standard error, in a terminal only, with `quiet_output`."""
    with quiet_output():
        console = Console(stderr=True)
        steps = Steps(name, console)
        if not console.is_terminal:
            yield steps
            return
        with listening(steps.step), Live(get_renderable=steps.render, console=console, transient=True):
            yield steps


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


@contextmanager
def quiet_output() -> Iterator[None]:
    """Redirect the output of recipes to standard error; standard output is for the command's result only."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def search_figures(record: Mapping[str, Any], resource: str) -> str:
    """An epoch of a search in a few words; strategies record only some of these fields, or none."""
    parts = [f"loss {record['weights']['total']:.3f}"] if "weights" in record else []
    if "phase" in record and record["phase"] != "search":
        parts.append(str(record["phase"]))
    elif "entropy" in record:
        parts.append(f"entropy {_mean(record['entropy']):.2f}")
    if "expected_cost" in record:
        target = "" if record["budget"] is None else f" (of {format_quantity(record['budget'], resource)})"
        parts.append(f"cost {format_quantity(record['expected_cost'], resource)}{target}")
    if "changed_choices" in record:
        parts.append(f"{record['changed_choices']} choices changed")
    return ", ".join(parts)


def training_figures(record: dict[str, Any]) -> str:
    """An epoch of a training in a few words."""
    return f"loss {record['training']['total']:.3f}, validation {record['validation']['total']:.3f}"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
