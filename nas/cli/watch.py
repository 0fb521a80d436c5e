"""The command watch: how far a run is that another process works on, from its files alone. It needs no torch."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nas.cli.app import _console, _print_json, _printable, app
from nas.cli.options import JsonOption, RunArg
from nas.cli.plain_table import plain_table
from nas.cli.progress import search_figures, training_figures
from nas.cli.trial_table import duration
from nas.errors import WorkFailed
from nas.report.watched import Progress, RunProgress, read_progress
from nas.tree.quantities import plain_quantity

_SECONDS = 1.0
"""Between two looks at the files."""
_GRACE = 5.0
"""A run counts as stopped so many seconds after its last change, because a command may be about to go on."""
_ORDER = ("running", "failed", "unfinished", "waiting", "done")
"""Trials and trainings in the first of these states are shown first if there is not enough room."""
_STYLES = {"failed": "red", "unfinished": "red", "waiting": "dim", "done": "green"}


@app.command()
def watch(
    run: RunArg,
    once: Annotated[bool, typer.Option("--once", help="Show how far the run is now, and do not wait.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Follow a run that another process works on, until it ends.

    It reads files only, so that stopping it leaves the run alone. The exit status is 0 if the run is finished (with
    --once, if it is not over), and 1 if it has failed or stopped before its end.
    """
    state = read_progress(run) if once else _follow(run)
    if as_json:
        _print_json(state.to_dict())
    else:
        console = _console()
        console.print(_table(state, room=None))
        if state.front is not None:
            console.print(_front_table(state))
    if state.state in ("failed", "stopped"):
        raise WorkFailed(_how_it_ended(state))


def _follow(run: Path) -> RunProgress:
    """Show the progress of a run on standard error until the run ends."""
    with _shown(Console(stderr=True)) as show:
        while True:
            state = read_progress(run)
            show.state = state
            show.lines()
            if state.state in ("finished", "failed") or (state.state == "stopped" and state.idle > _GRACE):
                return state
            time.sleep(_SECONDS)


class _Shown:
    """The latest state: a live table in a terminal, or a line for each change."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.state: RunProgress | None = None
        self._said: dict[str, tuple[str, int]] = {}

    def render(self) -> Group:
        return Group() if self.state is None else _table(self.state, room=self.console.height - 6)

    def lines(self) -> None:
        if self.console.is_terminal or self.state is None:
            return
        for work in (*self.state.trials, *self.state.trainings):
            now = (work.state, work.epoch)
            if self._said.get(work.name, ("waiting", 0)) != now:
                self._said[work.name] = now
                what = (_what(work) if work.state == "running" else work.state) or "begun"
                self.console.print(_text(f"{work.name}: epoch {_epoch(work)}, {what}"), soft_wrap=True)


@contextmanager
def _shown(console: Console) -> Iterator[_Shown]:
    shown = _Shown(console)
    if not console.is_terminal:
        yield shown
        return
    with Live(get_renderable=shown.render, console=console, transient=True):
        yield shown


def _table(state: RunProgress, room: int | None) -> Group:
    """Trials and trainings, as many as there is room for, and a line about the run."""
    works = [*state.trials, *state.trainings]
    chosen = sorted(works, key=lambda work: _ORDER.index(work.state))[: max(5, room or len(works))]
    table = plain_table("of the run", "epoch", "left", "last epoch", left=("last epoch",))
    for work in works:
        if work in chosen:
            left = "" if work.seconds_left is None else duration(work.seconds_left)
            cells = (work.name, _epoch(work), left if work.state == "running" else work.state, _what(work))
            table.add_row(*map(_text, cells), style=_STYLES.get(work.state, ""))
    return Group(table, _text(_summary(state)))


def _summary(state: RunProgress) -> str:
    works = [*state.trials, *state.trainings]
    counts = Counter(work.state for work in works)
    parts = [
        f"{counts[name]} {name}" for name in ("done", "running", "waiting", "failed", "unfinished") if counts[name]
    ]
    line = f"{state.state}: {', '.join(parts)}, last change {duration(state.idle)} ago"
    return line if state.seconds_left is None else f"{line}, about {duration(state.seconds_left)} left"


def _what(work: Progress) -> str:
    """The losses of the last epoch, or why a trial failed."""
    if work.reason:
        return work.reason
    record: Mapping[str, Any] = work.record
    try:
        if "validation" in record:
            return training_figures(dict(record))
        # Costs in words would load torch.
        return search_figures({name: value for name, value in record.items() if name != "expected_cost"}, "")
    except (LookupError, TypeError, ValueError, AttributeError):
        return ""


def _epoch(work: Progress) -> str:
    return f"{work.epoch}/{'?' if work.num_epochs is None else work.num_epochs}"


def _front_table(state: RunProgress) -> Table:
    points = state.front or ()
    table = plain_table("tree", "budget", "cost", "quality", "", left=("tree", ""))
    for point in points:
        budget = "none" if point.budget is None else f"{point.budget:.4g}"
        mark = "recommended" if point.recommended else ""
        cost = plain_quantity(point.cost, state.resource)
        table.add_row(*map(_text, (point.tree_id, budget, cost, f"{point.quality:.4f}", mark)))
    table.caption = _printable(f"quality: {points[0].measure}; higher is better") if points else None
    return table


def _how_it_ended(state: RunProgress) -> str:
    if (failed := next((work for work in state.trials if work.state == "failed"), None)) is not None:
        return f"{state.path}: {failed.name} failed: {failed.reason}"
    return (
        f"{state.path}: no process on this machine works on this run, and it is not finished (last change "
        f"{duration(state.idle)} ago); continue it with the command that began it, and --resume"
    )


def _text(line: str) -> Text:
    return Text(_printable(line))
