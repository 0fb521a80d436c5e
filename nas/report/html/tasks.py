"""The table of a comparison: every task in every network, against its single-task network."""

import math
from dataclasses import dataclass

from nas.report.html.known import Known, TaskGain, gains_of, network_name
from nas.run.comparison import Row


@dataclass(frozen=True)
class TaskRow:
    """A task: the metric that is shown, its value in single-task networks, and by network its value and gain."""

    task: str
    metric: str
    alone: str
    cells: list[tuple[str, TaskGain | None]]


@dataclass(frozen=True)
class TaskTable:
    """``networks``: name and delta_m of each column."""

    networks: list[tuple[str, str]]
    rows: list[TaskRow]
    about: str
    verdicts: list[str]


def task_table(known: Known) -> TaskTable | None:
    """The table of a comparison; None if the run has none."""
    comparison = known.comparison
    if comparison is None:
        return None
    single = next(row for row in comparison.rows if row.kind == "single")
    others = [row for row in comparison.rows if row.kind != "single"]
    gains = [{gain.task: gain for gain in gains_of(row)} for row in others]
    rows = []
    for task, values in single.metrics.items():
        metric = next((name for name in values if name != "loss"), "loss")
        cells = [
            (_number(row.metrics[task][metric]), by_task.get(task)) for row, by_task in zip(others, gains, strict=True)
        ]
        rows.append(TaskRow(task, metric, _number(values[metric]), cells))
    seeds = len(comparison.seeds)
    about = (
        "Test split; the number is the metric, below it the gain over the task's own network, over all its metrics. "
    )
    about += (
        "One seed: nothing says how much of a gain is chance."
        if seeds == 1
        else (f"Means over {seeds} seeds, ± half the 95 % interval; a gain is coloured if its interval leaves out 0.")
    )
    return TaskTable(
        [(network_name(known, row), _delta(row)) for row in others],
        rows,
        about,
        list(map(known.with_names, comparison.verdicts)),
    )


def _delta(row: Row) -> str:
    return TaskGain("", row.delta_m, row.half_interval).amount


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "no value"
