"""What the plots of costs have in common: the page, the axes, the headings and the legend below."""

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter, PercentFormatter

from nas.report.canvas import TextStyle, shortened, wrapped
from nas.report.point_labels import text_options
from nas.report.theme import GREY, INK, Theme

TITLE, MEASURE = TextStyle(10.5, INK, bold=True), TextStyle(8.0, GREY)
AXIS, TICK, NOTE = TextStyle(8.5, INK), TextStyle(7.5, GREY), TextStyle(6.5, GREY)
PAGE_ROOM, AXIS_ROOM = 360.0, 230.0


def plot_figure(theme: Theme) -> tuple[Figure, Axes]:
    """An empty page with one plot."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(5.6, 4.5), facecolor=theme.ground, layout=layout)
    axes = figure.add_subplot()
    draw_frame(axes, theme)
    axes.margins(x=0.14, y=0.16)
    return figure, axes


def draw_frame(axes: Axes, theme: Theme) -> None:
    """The ground, two edges and the ticks of a plot."""
    axes.set_facecolor(theme.ground)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(theme.light_grey)
    axes.tick_params(**_ticks(theme))
    axes.ticklabel_format(axis="y", useOffset=False)


def draw_cost_axis(axes: Axes, resource: str, separate: float | None, theme: Theme) -> None:
    """The axis of the cost below, and above it the same in shares of separate networks."""
    from nas.cost import RESOURCES  # which loads torch

    known = RESOURCES.get(resource)
    name = shortened(resource if known is None else known.title, AXIS, AXIS_ROOM)
    axes.set_xlabel(name, **text_options(AXIS, theme))
    if known is None or not known.needs_latency:
        axes.xaxis.set_major_formatter(EngFormatter())
    if separate:
        to_share, to_cost = partial(np.multiply, 1 / separate), partial(np.multiply, separate)
        top = axes.secondary_xaxis("top", functions=(to_share, to_cost))
        top.set_xlabel("of the cost of separate networks", **text_options(AXIS, theme))
        top.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        top.spines["top"].set_color(theme.light_grey)
        top.tick_params(**_ticks(theme))


def draw_headings(axes: Axes, measure: str, title: str | None, theme: Theme) -> None:
    """What the height means, level above the plot, where a long sentence can be read; and above it a title."""
    lines = wrapped(f"\N{UPWARDS ARROW} {measure}", MEASURE, PAGE_ROOM)
    axes.set_title("\n".join(lines), loc="left", pad=8, linespacing=1.3, **text_options(MEASURE, theme))
    if title:
        axes.figure.suptitle(
            shortened(title, TITLE, PAGE_ROOM), x=0.02, horizontalalignment="left", **text_options(TITLE, theme)
        )


def draw_legend(figure: Figure, axes: Axes, note: str, theme: Theme) -> None:
    """Below the plot what its marks mean, each once, and a note."""
    handles, names = axes.get_legend_handles_labels()
    # The latest first: the marks before the lines behind them.
    entries = dict(zip(reversed(names), reversed(handles), strict=True))
    legend = figure.legend(
        entries.values(),
        entries.keys(),
        loc="outside lower left",
        ncols=2,
        fontsize=TICK.size,
        labelcolor=theme.ink,
        frameon=False,
        title=note,
        alignment="left",
    )
    legend.get_title().set(fontsize=NOTE.size, color=theme.grey)


def _ticks(theme: Theme) -> dict[str, Any]:
    return {"labelsize": TICK.size, "labelcolor": theme.colour(TICK.colour), "color": theme.light_grey}
