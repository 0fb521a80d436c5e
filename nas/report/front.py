"""The picture of a front: every tree that was found, by what it costs and how good it is."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter, PercentFormatter

from nas.errors import InputError
from nas.report.amounts import format_quantity
from nas.report.canvas import TextStyle, plain_style, shortened, text_width
from nas.report.label_placement import Rect, place_labels
from nas.report.palette import OKABE_ITO
from nas.report.summary import check_resource
from nas.tree import CostTable

INK, GREY, LIGHT_GREY, BEST = "#1A1A1A", "#6B6B6B", "#B8B8B8", OKABE_ITO[0]
AXIS, TICK, ID, BUDGET = TextStyle(8.5, INK), TextStyle(7.5, GREY), TextStyle(7.5, INK), TextStyle(6.5, GREY)
AXIS_ROOM, TITLE_ROOM, ID_ROOM = 230.0, 360.0, 90.0
FRONT_GAPS = (3.0, 10.0, 18.0, 27.0, 38.0, 50.0)
"""Distances between a mark and its label, in the order of the attempts; dominated trees use only the first three."""
MOST_DOMINATED_IDS = 25
"""Largest number of dominated trees that get labels; more labels would hide the points."""
MARKS = {"estimated": "o", "measured": "D"}
MARK = 5.5
"""Diameter of a point's mark."""


class _Point(NamedTuple):
    cost: float
    quality: float
    tree_id: str
    kind: str
    dominated: bool
    recommended: bool = False


def draw_front(
    points: Sequence[Mapping[str, Any]],
    table: CostTable | None = None,
    *,
    title: str | None = None,
    resource: str = "macs",
    curves: Sequence[Sequence[tuple[float, float]]] = (),
) -> Figure:
    """Trees by cost and quality: the front filled and connected, dominated trees hollow, budgets as vertical lines.

    The steps show the best quality up to each cost. The recommended tree has a ring. Trees are labelled by id if there
    is room: first the recommended one, then the others of the front, then the dominated ones.

    Args:
        points: the points of a ``front.json``, as mappings with the fields of `nas.run.Point`.
        table: the cost table. With it there is a second axis with shares of the cost of separate networks, and budgets
            that are such shares are drawn, too.
        title: a heading.
        resource: the cost that counts.
        curves: cost and quality of all trees of each curve, cheapest first, drawn as thin steps behind the points.

    Raises:
        InputError: there are no points, they differ in their measure or lack the resource; matplotlib is missing.
    """
    if table is not None:
        check_resource(table, resource)
    trees = _trees(points, resource)
    separate = None if table is None else table.separate_cost()[resource]
    budgets = _budgets((point["budget"] for point in points), separate, resource)
    kinds = list(dict.fromkeys(tree.kind for tree in trees))
    measure = points[0]["quality"]["measure"]
    with plain_style():
        figure = Figure(figsize=(5.6, 3.9), facecolor="white", layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
        axes = figure.add_subplot()
        _draw_axes(axes, f"{measure} ({kinds[0]})" if len(kinds) == 1 else measure, resource, separate)
        if title:
            style = TextStyle(10.5, INK, bold=True)
            axes.set_title(shortened(title, style, TITLE_ROOM), loc="left", pad=10, **_text(style))
        for x in budgets:
            axes.axvline(x, color=LIGHT_GREY, linewidth=0.7, zorder=0)
        for curve in curves:
            axes.step(*zip(*curve, strict=True), where="post", color=GREY, linewidth=0.6, zorder=1)
        _draw_points(axes, trees, kinds)
        _widen(axes)
        # Labels are placed by the positions of the points on the page, so the layout has to be computed first.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        _draw_labels(axes, trees, budgets)
    return figure


def _trees(points: Sequence[Mapping[str, Any]], resource: str) -> list[_Point]:
    """The points to draw, cheapest first."""
    if not points:
        raise InputError("there is nothing to draw: the front has no points")
    if len(measures := {point["quality"]["measure"] for point in points}) > 1:
        raise InputError(f"the points have several measures ({', '.join(sorted(measures))}); draw those of one")
    if lacking := next((point for point in points if resource not in point["cost"]), None):
        raise InputError(f"{lacking['tree']} has no cost in {resource!r}; it has {', '.join(lacking['cost'])}")
    # One tree may be listed several times: for several budgets, and as the search's own recommendation.
    trees = {
        _Point(
            point["cost"][resource],
            point["quality"]["value"],
            PurePosixPath(point["tree"]).stem,
            point["quality"]["kind"],
            point["dominated"],
            point.get("recommended", False),
        )
        for point in points
    }
    return sorted(trees - {tree._replace(recommended=False) for tree in trees if tree.recommended})


def _budgets(values: Iterable[float | None], separate: float | None, resource: str) -> dict[float, str]:
    """The labels of the budgets that can be drawn, by cost: shares of separate networks (up to 1) need their cost."""
    budgets = {}
    for value in sorted({value for value in values if value is not None}):
        if value > 1:
            budgets[value] = f"budget {format_quantity(value, resource)}"
        elif separate is not None:
            budgets[value * separate] = f"budget {100 * value:.3g} %"
    return budgets


def _draw_axes(axes: Axes, quality: str, resource: str, separate: float | None) -> None:
    lines = [quality] if text_width(quality, AXIS) <= AXIS_ROOM else textwrap.wrap(quality, len(quality) // 2 + 8)
    # The name of a measure may be long; two lines are enough for those of this package.
    axes.set_ylabel("\n".join(shortened(line, AXIS, AXIS_ROOM) for line in lines[:2]), **_text(AXIS))
    from nas.cost import RESOURCES  # which loads torch

    known = RESOURCES.get(resource)
    axes.set_xlabel(shortened(resource if known is None else known.title, AXIS, AXIS_ROOM), **_text(AXIS))
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(LIGHT_GREY)
    axes.tick_params(labelsize=TICK.size, labelcolor=TICK.colour, color=LIGHT_GREY)
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.margins(x=0.14, y=0.16)
    if known is None or not known.needs_latency:
        axes.xaxis.set_major_formatter(EngFormatter())
    if separate:
        to_share, to_cost = partial(np.multiply, 1 / separate), partial(np.multiply, separate)
        top = axes.secondary_xaxis("top", functions=(to_share, to_cost))
        top.set_xlabel("of the cost of separate networks", **_text(AXIS))
        top.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        top.spines["top"].set_color(LIGHT_GREY)
        top.tick_params(labelsize=TICK.size, labelcolor=TICK.colour, color=LIGHT_GREY)


def _draw_points(axes: Axes, trees: Sequence[_Point], kinds: Sequence[str]) -> None:
    axes.step(*_positions([tree for tree in trees if not tree.dominated]), where="post", color=BEST, alpha=0.4, lw=1.2)
    for kind in kinds:
        for dominated in (True, False):
            shown = [tree for tree in trees if tree.kind == kind and tree.dominated == dominated]
            axes.scatter(
                *_positions(shown),
                s=MARK**2,
                marker=MARKS[kind],
                facecolors="white" if dominated else BEST,
                edgecolors=GREY if dominated else BEST,
                linewidths=0.8,
                zorder=2 if dominated else 3,
                label=None if dominated else kind,
            )
    axes.scatter(
        *_positions([tree for tree in trees if tree.recommended]),
        s=(2 * MARK) ** 2,
        facecolors="none",
        edgecolors=BEST,
        linewidths=1.1,
        zorder=3,
    )
    if len(kinds) > 1:
        axes.legend(fontsize=TICK.size, labelcolor=INK, frameon=False, handletextpad=0.2)


def _positions(trees: Sequence[_Point]) -> tuple[list[float], list[float]]:
    return [tree.cost for tree in trees], [tree.quality for tree in trees]


def _widen(axes: Axes) -> None:
    """Widen the cost axis to at least a fifth of the costs from zero, so that trees of similar cost are close together;
    never below zero."""
    low, high = axes.get_xlim()
    missing = max(0.0, 0.2 * high - (high - low))
    axes.set_xlim(max(0.0, low - missing / 2), high + missing / 2)


def _draw_labels(axes: Axes, trees: Sequence[_Point], budgets: Mapping[float, str]) -> None:
    """Budgets along their lines; ids beside their points, those of the front also further away, with a line."""
    per_pixel = 72 / axes.figure.dpi

    def on_page(x: float, y: float) -> tuple[float, float]:
        x_pixel, y_pixel = axes.transData.transform((x, y))
        return x_pixel * per_pixel, y_pixel * per_pixel

    def extent(artist: Artist) -> Rect:
        box = artist.get_window_extent()
        return Rect(box.x0 * per_pixel, box.y0 * per_pixel, box.x1 * per_pixel, box.y1 * per_pixel)

    page, below = extent(axes), axes.get_xaxis_transform()
    taken = [extent(legend)] if (legend := axes.get_legend()) else []
    for cost, text in budgets.items():
        axes.annotate(text, (cost, 0), (2, 4), below, "offset points", rotation=90, **_text(BUDGET))
        x, _ = on_page(cost, 0)
        taken.append(Rect(x, page.bottom, x + BUDGET.size + 3, page.bottom + text_width(text, BUDGET) + 6))

    marks = {tree: _square(*on_page(tree.cost, tree.quality), 2 * MARK if tree.recommended else MARK) for tree in trees}
    # The best first, since there is room above the points of the front.
    front = [tree for tree in reversed(marks) if not tree.dominated]
    dominated = [tree for tree in marks if tree.dominated]
    corners = [(on_page(a.cost, a.quality), on_page(b.cost, b.quality)) for b, a in pairwise(front)]
    taken += [*marks.values(), *(Rect(x0, y0, x1, y0) for (x0, y0), (x1, _) in corners)]
    taken += [Rect(x1, y0, x1, y1) for (_, y0), (x1, y1) in corners]
    by_rank = sorted(front, key=lambda tree: not tree.recommended)
    taken += _draw_ids(axes, {tree: marks[tree] for tree in by_rank}, taken, page, FRONT_GAPS, ID)
    if len(dominated) <= MOST_DOMINATED_IDS:
        style = ID._replace(colour=GREY)
        _draw_ids(axes, {tree: marks[tree] for tree in dominated}, taken, page, FRONT_GAPS[:3], style)


def _draw_ids(
    axes: Axes, marks: Mapping[_Point, Rect], taken: Sequence[Rect], page: Rect, gaps: Sequence[float], style: TextStyle
) -> list[Rect]:
    """Draw the labels that have room, and return their places."""
    texts = [shortened(tree.tree_id, style, ID_ROOM) for tree in marks]
    sizes = [(text_width(text, style), 1.15 * style.size) for text in texts]
    on_front = not all(tree.dominated for tree in marks)
    places = place_labels(list(marks.values()), sizes, taken, page, gaps, above=on_front)
    line = {"arrowstyle": "-", "color": LIGHT_GREY, "linewidth": 0.6, "shrinkA": 1, "shrinkB": MARK / 2}
    for (tree, mark), text, label in zip(marks.items(), texts, places, strict=True):
        if label is None:
            continue
        x, y = mark.middle
        beside = label.overlaps(_square(x, y, MARK + 3 * FRONT_GAPS[0]))
        axes.annotate(
            text,
            (tree.cost, tree.quality),
            (label.left - x, label.bottom - y),
            textcoords="offset points",
            verticalalignment="bottom",
            arrowprops=None if beside else line,
            # Above the budgets' lines, which it interrupts, and below the marks.
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            zorder=1,
            **_text(style),
        )
    return [label for label in places if label is not None]


def _square(x: float, y: float, size: float) -> Rect:
    return Rect(x - size / 2, y - size / 2, x + size / 2, y + size / 2)


def _text(style: TextStyle) -> dict[str, Any]:
    weight = "bold" if style.bold else "normal"
    return {"fontsize": style.size, "color": style.colour, "fontweight": weight, "parse_math": False}
