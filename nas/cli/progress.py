"""Progress of long work: a live display in a terminal, one line per event elsewhere; always on standard error."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nas.tree import format_quantity


class Display:
    """Shows how far a number of epochs is, with one line of figures."""

    def __init__(self, console: Console, progress: Progress | None) -> None:
        self.console = console
        self.progress = progress
        self.bar: Any = None
        self.total = 0
        self.done = 0
        self.label = ""
        self.started = time.monotonic()

    def begin(self, label: str, total: int, done: int = 0) -> None:
        """A new piece of work of `total` epochs, `done` of which are already there."""
        self.label, self.total, self.done = label, total, done
        self.started = time.monotonic()
        if self.progress is None:
            self.console.print(f"{label}: {total - done} epochs to go", highlight=False, markup=False)
            return
        if self.bar is not None:
            self.progress.remove_task(self.bar)
        self.bar = self.progress.add_task(label, total=total, completed=done, figures="")

    def advance(self, figures: str) -> None:
        """One more epoch is done."""
        self.done += 1
        if self.progress is not None:
            self.progress.update(self.bar, advance=1, figures=figures)
        else:
            seconds = time.monotonic() - self.started
            line = f"{self.label}: epoch {self.done}/{self.total}, {seconds:.0f} s, {figures}"
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def display() -> Iterator[Display]:
    """A display on standard error for as long as the block runs."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Display(console, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}", style="dim"),
    )
    with Progress(*columns, console=console) as progress:
        yield Display(console, progress)


def search_figures(record: dict[str, Any], resource: str) -> str:
    """An epoch of a search in a few words."""
    parts = [f"loss {record['weights']['total']:.3f}"]
    parts.append("warm-up" if record["phase"] == "warm-up" else f"entropy {_mean(record['entropy']):.2f}")
    cost = f"cost {format_quantity(record['expected_cost'], resource)}"
    if record["budget"] is not None:
        cost += f" (budget {format_quantity(record['budget'], resource)})"
    return ", ".join([*parts, cost, f"{record['changed_choices']} choices changed"])


def training_figures(record: dict[str, Any]) -> str:
    """An epoch of a training in a few words."""
    return f"loss {record['training']['total']:.3f}, validation {record['validation']['total']:.3f}"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
