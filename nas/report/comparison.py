"""The pictures of a comparison: measured trees beside baselines, and what each task gains or loses against alone."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

from nas.report.canvas import TextStyle, plain_style, shortened, wrapped
from nas.report.front import BEST, ID, NAME
from nas.report.palette import OKABE_ITO, colours_of
from nas.report.plot_frame import AXIS, TICK, TITLE, draw_frame, draw_headings, draw_legend, plot_figure
from nas.report.point_labels import Label, Page, text_options
from nas.report.theme import GREY, INK, THEMES, Theme, ThemeName
from nas.run.comparison import Comparison, Row, random_beside
from nas.training import half_interval

SHARED = OKABE_ITO[5]
MARK = 6.0
MOST_PANELS = 6
"""At most so many trees are drawn task by task: the shared tree, and those with the highest delta_m."""
PANEL_WIDTH, TASK_HEIGHT = 1.5, 0.2
"""Inches."""
NAME_ROOM = 110.0


def draw_comparison(comparison: Comparison, *, title: str | None = None, theme: ThemeName = "light") -> Figure:
    """Cost and delta_m of the found trees, the shared tree, random trees and separate networks, with 95 % intervals.

    A thin line joins a found tree with the mean of the random trees that cost at most as much.

    Raises:
        InputError: matplotlib is missing.
    """
    colours = THEMES[theme]
    rows = [row for row in comparison.rows if math.isfinite(row.delta_m)]
    with plain_style():
        figure, axes = plot_figure(colours)
        axes.set_xlabel("cost, of the cost of separate networks", **text_options(AXIS, colours))
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        measured = "delta_m on the test split: mean gain of the tasks over single-task networks, in %"
        draw_headings(axes, f"{measured}; higher is better; {_intervals(comparison)}", title, colours)
        axes.axhline(0.0, color=colours.light_grey, linewidth=0.8, zorder=0)
        beside = {row.name: row for row in rows if row.kind == "random"}
        for row in rows:
            if other := beside.get(random_beside(row.name)):
                _draw_pair(axes, row, other, colours)
        kinds: list[tuple[str, str, dict[str, Any]]] = [
            ("single", "single-task networks", {"marker": "D", "color": colours.ink}),
            ("random", "random trees that cost at most as much", _hollow(colours)),
            ("shared", "all shared", {"marker": "s", "color": colours.text(SHARED)}),
            ("found", "trees found", {"marker": "o", "color": colours.text(BEST)}),
        ]
        for kind, name, style in kinds:
            if shown := [row for row in rows if row.kind == kind]:
                bars = None if kind == "single" else [row.half_interval or 0.0 for row in shown]
                x, y = [row.share for row in shown], [row.delta_m for row in shown]
                axes.errorbar(x, y, yerr=bars, linestyle="none", **_BARS, **style, label=name)
        draw_legend(figure, axes, "Labels: ids of the trees found, for nas show RUN --tree ID", colours)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        _draw_names(Page(axes, colours), rows)
    return figure


def draw_task_gains(comparison: Comparison, *, title: str | None = None, theme: ThemeName = "light") -> Figure:
    """One panel for the shared tree and one for each found tree: every task's gain over alone, with 95 % intervals.

    Grey rings are the random trees beside a found tree. Of many found trees, the six with the highest delta_m are
    shown, in the order of their cost.

    Raises:
        InputError: matplotlib is missing.
    """
    colours = THEMES[theme]
    best = sorted((row for row in comparison.rows if row.kind in ("shared", "found")), key=_rank)[:MOST_PANELS]
    panels = sorted(best, key=lambda row: row.share)
    tasks = list(panels[0].metrics)
    beside = {row.name: row for row in comparison.rows if row.kind == "random"}
    with plain_style():
        size = (1.5 + PANEL_WIDTH * len(panels), 1.5 + TASK_HEIGHT * len(tasks))
        layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.1)
        figure = Figure(figsize=size, facecolor=colours.ground, layout=layout)
        grid = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        for axes, row in zip(grid, panels, strict=True):
            draw_frame(axes, colours)
            axes.axvline(0.0, color=colours.light_grey, linewidth=0.8, zorder=0)
            if other := beside.get(random_beside(row.name)):
                _draw_gains(axes, other, tasks, colours, hollow=True)
            _draw_gains(axes, row, tasks, colours)
            gain = f"{row.delta_m:+.1f} %".replace("-", "\N{MINUS SIGN}") if math.isfinite(row.delta_m) else "no value"
            name = "all shared" if row.kind == "shared" else shortened(row.name, NAME, NAME_ROOM)
            heading = f"{name}\n{100 * row.share:.0f} % of the cost\nmean {gain}"
            axes.set_title(heading, loc="left", linespacing=1.3, **text_options(NAME, colours))
        grid[0].set_ylim(len(tasks) - 0.4, -0.6)
        grid[0].set_yticks(range(len(tasks)), [shortened(task, TICK, NAME_ROOM) for task in tasks])
        for tick, colour in zip(grid[0].get_yticklabels(), colours_of(tasks).values(), strict=True):
            tick.set(color=colours.text(colour), parse_math=False)
        rings = "; rings: random trees that cost at most as much" if beside else ""
        text = TextStyle(8.0, INK)
        meaning = f"gain over single-task networks, %; {_intervals(comparison)}{rings}"
        about = "\n".join(wrapped(meaning, text, 68 * size[0]))
        figure.supxlabel(about, x=0.02, horizontalalignment="left", **text_options(text, colours))
        if title:
            heading = shortened(title, TITLE, 72 * size[0])
            figure.suptitle(heading, x=0.02, horizontalalignment="left", **text_options(TITLE, colours))
    return figure


_BARS: dict[str, Any] = {"markersize": MARK, "elinewidth": 0.9, "capsize": 2.0, "zorder": 3}


def _hollow(theme: Theme) -> dict[str, Any]:
    return {"marker": "o", "markerfacecolor": theme.ground, "color": theme.grey}


def _intervals(comparison: Comparison) -> str:
    count = len(comparison.seeds)
    return f"bars: 95 % intervals over {count} seeds" if count > 1 else "one seed, so no intervals"


def _draw_pair(axes: Axes, row: Row, other: Row, theme: Theme) -> None:
    ends = (row.share, other.share), (row.delta_m, other.delta_m)
    axes.plot(*ends, color=theme.light_grey, linewidth=0.7, zorder=1)


def _draw_names(page: Page, rows: Sequence[Row]) -> None:
    found = sorted((row for row in rows if row.kind == "found"), key=lambda row: -row.delta_m)
    bars = [
        page.segment((row.share, row.delta_m - half), (row.share, row.delta_m + half))
        for row in rows
        for half in [row.half_interval or 0.0]
    ]
    marks = {row.name: Label((row.share, row.delta_m), (), MARK) for row in rows}
    named = [marks[row.name]._replace(lines=[(row.name, ID)]) for row in found]
    page.draw_labels(named, [page.mark(mark) for mark in marks.values()], bars, above=True)


def _draw_gains(axes: Axes, row: Row, tasks: Sequence[str], theme: Theme, *, hollow: bool = False) -> None:
    """One dot and one bar for each task; those of random trees lie a little lower."""
    colours = colours_of(tasks)
    for i, task in enumerate(tasks):
        values = row.relative.get(task, ())
        if not values or not all(map(math.isfinite, values)):
            if not hollow:
                axes.annotate("no value", (0.0, i), (4, 0), textcoords="offset points", va="center", **_small(theme))
            continue
        style = _hollow(theme) | {"markersize": 3.5} if hollow else {"marker": "o", "color": theme.fill(colours[task])}
        bar = half_interval(values)
        y = i + (0.24 if hollow else 0.0)
        options = _BARS | {"zorder": 2 if hollow else 3} | style
        axes.errorbar([statistics.fmean(values)], [y], xerr=[bar or 0.0], linestyle="none", **options)


def _small(theme: Theme) -> dict[str, Any]:
    return text_options(TextStyle(6.5, GREY), theme)


def _rank(row: Row) -> tuple[bool, float]:
    """The shared tree first, then by delta_m, unknown ones last."""
    return row.kind != "shared", -row.delta_m if math.isfinite(row.delta_m) else math.inf
