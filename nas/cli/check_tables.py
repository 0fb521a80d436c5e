"""What `nas check` found, as tables for a terminal: the tasks, and the labels of each split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.table import Table

from nas.cli.plain_table import plain_table

if TYPE_CHECKING:
    from nas.commands.check import CheckReport

_MOST_NAMES = 6
"""So many names of outputs are shown."""


def task_table(report: CheckReport) -> Table:
    """What each task predicts, and how it is trained and measured."""
    table = plain_table("task", "outputs", "for each", "loss", "metrics", left=("task", "outputs", "for each", "loss"))
    for name, task in report.tasks.items():
        outputs = str(task.num_outputs)
        if task.labels:
            shown = ", ".join(task.labels[:_MOST_NAMES]) + (", ..." if len(task.labels) > _MOST_NAMES else "")
            outputs += f": {shown}"
        each = {None: "", True: "pixel", False: "sample"}[task.dense]
        table.add_row(name, outputs, each, task.loss, ", ".join(task.metrics))
    return table


def check_table(report: CheckReport) -> Table:
    """Labels by split and task."""
    columns = ("split", "samples", "task", "labelled", "known", "smallest", "largest", "balance", "at chance")
    table = plain_table(*columns, left=("split", "task", "balance", "at chance"))
    for split, tasks in report.labels.items():
        for i, (task, seen) in enumerate(tasks.items()):
            table.add_row(
                *((split, str(report.samples[split])) if i == 0 else ("", "")),
                task,
                f"{seen.coverage:.1%}",
                f"{seen.known:.1%}",
                *("" if end is None else f"{end:.4g}" for end in (seen.min, seen.max)),
                _balance(seen.balance),
                ", ".join(f"{name} {value:.4g}" for name, value in seen.chance.items()),
            )
    table.caption = (
        "labelled: samples with a value; known: entries with a value, of the labels there are; "
        "at chance: the best constant answer"
    )
    return table


def _balance(balance: Mapping[str, float] | None) -> str:
    if balance is None:
        return ""
    if "positive" in balance:
        return f"{balance['positive']:.1%} positive"
    absent = f", {balance['absent']} absent" if balance["absent"] else ""
    return f"commonest class {balance['commonest']:.1%}{absent}"
