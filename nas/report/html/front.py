"""The plots of a run's trees by cost and quality: one for a comparison, one for each kind of quality in the front."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from nas.cost import RESOURCES, format_quantity
from nas.report.figures import curves_beside
from nas.report.html.known import Known, network_name
from nas.report.html.plot import Scale, Tick, number, scale, steps, ticks
from nas.report.label_placement import Rect, place_labels
from nas.run import Point
from nas.run.comparison import Row

WIDTH, HEIGHT = 560, 350
LEFT, RIGHT, TOP, BOTTOM = 62, 544, 40, 288
"""The frame of a plot: left and right end, top and bottom."""
MARK = 13.0
"""The diameter around a point that no letter may cover."""
BUDGET_ROOM = 44.0
"""Least distance of two budgets' labels in one row."""

Kind = Literal["found", "shared", "separate", "random"]
_BASELINES = {"single": "separate", "shared": "shared", "random": ""}
"""The labels of a comparison's baselines; random trees are explained by the legend."""


@dataclass(frozen=True)
class Mark:
    """A point of a plot. ``low`` and ``high`` are the ends of its interval; ``label`` names it, at ``label_at``."""

    kind: Kind
    tree: str | None
    x: float
    y: float
    low: float | None
    high: float | None
    recommended: bool
    dominated: bool
    text: str
    label: str = ""
    label_at: tuple[float, float] | None = None


@dataclass(frozen=True)
class Plot:
    """A plot with everything at its place."""

    title: str
    about: str
    y_title: str
    x_title: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    budgets: list[Tick]
    curves: list[str]
    best: str
    zero: float | None
    marks: list[Mark]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


@dataclass(frozen=True)
class _Datum:
    kind: Kind
    tree: str | None
    cost: float
    value: float
    half: float | None
    text: str
    label: str
    recommended: bool = False
    dominated: bool = False


def plots(known: Known) -> list[Plot]:
    """The comparison's plot if there is a comparison, and those of the front."""
    compared = [] if known.comparison is None else [_compared(known, known.comparison.rows)]
    scales = dict.fromkeys(point.scale for point in known.front.points)
    alike = [[point for point in known.front.points if point.scale == one] for one in scales]
    return [*compared, *(_of_front(known, points) for points in alike)]


def _compared(known: Known, rows: Sequence[Row]) -> Plot:
    data, best = [], known.front.best
    for row in rows:
        if not math.isfinite(row.delta_m):
            continue
        cost, tree = row.cost[known.resource], row.name if row.name in known.trees else None
        label = known.letters.get(row.name, "") if row.kind == "found" else _BASELINES[row.kind]
        half = "" if row.half_interval is None else f" ± {row.half_interval:.2f}"
        text = f"{network_name(known, row)}: {row.delta_m:+.2f}{half} %, {_cost(known, cost)}"
        chosen = best is not None and tree == best.tree_id
        kind: Kind = "separate" if row.kind == "single" else cast(Kind, row.kind)
        data.append(_Datum(kind, tree, cost, row.delta_m, row.half_interval, text, label, recommended=chosen))
    seeds = rows[0].num_trainings
    about = (
        "Every network was trained with the same settings "
        + (
            "and one seed, so there are no intervals. "
            if seeds == 1
            else f"and {seeds} seeds; bars are 95 % intervals. "
        )
        + "0 is one network for each task."
    )
    y_title = "mean gain over single tasks in %"
    return _plot(known, "Measured by nas compare", about, y_title, data, [], [], zero=0.0)


def _of_front(known: Known, points: Sequence[Point]) -> Plot:
    first, best = points[0].quality, known.front.best
    data = [
        _Datum(
            "found",
            point.tree_id,
            point.cost[known.resource],
            point.quality.value,
            None if point.quality.std is None else 1.96 * point.quality.std,
            f"{known.name(point.tree_id)}: {point.quality.amount}, {_cost(known, point.cost[known.resource])}"
            + ("" if point.budget is None else f", budget {point.budget:g}")
            + (f", {point.grade}" if point.grade else ""),
            known.letters.get(point.tree_id, ""),
            recommended=best is not None and point.tree == best.tree,
            dominated=point.dominated,
        )
        for point in points
    ]
    pooled = " of several seeds together" if points[0].scale[2] else ""
    title = f"{'Measured' if first.kind == 'measured' else 'Estimated by the search'}{pooled}"
    bars = " Bars are 95 % intervals." if any(datum.half for datum in data) else ""
    about = f"Higher is better: {first.measure}.{bars}"
    if first.kind == "estimated" and not bars:
        about += " An estimate without bars says nothing about its error; the grade of a tree does."
    budgets = [point.budget for point in points if point.budget is not None]
    curves = curves_beside(known.run, points)
    return _plot(known, title, about, f"{first.kind} quality", data, budgets, curves)


def _cost(known: Known, cost: float) -> str:
    separate = known.table.separate_cost()[known.resource]
    share = f" ({100 * cost / separate:.0f} % of separate networks)" if separate else ""
    return f"{format_quantity(cost, known.resource)}{share}"


def _plot(
    known: Known,
    title: str,
    about: str,
    y_title: str,
    data: Sequence[_Datum],
    budgets: Sequence[float],
    curves: Sequence[Sequence[tuple[float, float]]],
    zero: float | None = None,
) -> Plot:
    separate = known.table.separate_cost()[known.resource]
    limits = {budget if budget > 1 else budget * separate: budget for budget in budgets}
    costs = [datum.cost for datum in data]
    # A comparison has few points, whose labels are words.
    x = scale([*costs, *limits], LEFT, RIGHT, 0.08 if zero is None else 0.18, least=0.2 * max(costs, default=1.0))
    ends = [value for d in data for value in (d.value - (d.half or 0), d.value + (d.half or 0))]
    y = scale([*ends, *([] if zero is None else [zero])], BOTTOM, TOP, margin=0.12)
    shown = [[(cost, value) for cost, value in curve if x.low <= cost <= x.high] for curve in curves]
    front = sorted((d.cost, d.value) for d in data if d.kind == "found" and not d.dominated)
    corners = [(x(cost), y(value)) for cost, value in front]
    known_resource = RESOURCES.get(known.resource)
    name = known.resource if known_resource is None else known_resource.title
    return Plot(
        title,
        about,
        y_title,
        f"cost in % of separate networks, and in {name}" if separate else name,
        _cost_ticks(x, separate, known.resource),
        [Tick(y(value), number(value)) for value in ticks(y.low, y.high, 6)],
        _budget_ticks(x, limits),
        [steps([(x(cost), _within(y, value)) for cost, value in curve], RIGHT) for curve in shown],
        steps(corners, RIGHT) if len(front) > 1 and zero is None and not curves else "",
        None if zero is None else y(zero),
        _labelled([_mark(datum, x, y) for datum in data], data),
    )


def _within(y: Scale, value: float) -> float:
    return y(min(max(value, y.low), y.high))


def _mark(datum: _Datum, x: Scale, y: Scale) -> Mark:
    low, high = (None, None) if datum.half is None else (y(datum.value - datum.half), y(datum.value + datum.half))
    return Mark(
        datum.kind, datum.tree, x(datum.cost), y(datum.value), low, high, datum.recommended, datum.dominated, datum.text
    )


def _cost_ticks(x: Scale, separate: float, resource: str) -> list[Tick]:
    if not separate:
        return [Tick(x(value), format_quantity(value, resource)) for value in ticks(x.low, x.high, 5)]
    shares = ticks(100 * x.low / separate, 100 * x.high / separate, 6)
    return [Tick(x(s * separate / 100), f"{s:g} %", format_quantity(s * separate / 100, resource)) for s in shares]


def _budget_ticks(x: Scale, limits: dict[float, float]) -> list[Tick]:
    """The labels of the budgets above the frame; every second one in a row of its own where they are close."""
    found: list[Tick] = []
    for cost, budget in sorted(limits.items()):
        text = f"{100 * budget:g} %" if budget <= 1 else number(budget)
        lower = not found or found[-1].below or x(cost) - found[-1].at >= BUDGET_ROOM
        found.append(Tick(x(cost), text, "" if lower else "upper"))
    return found


def _labelled(marks: list[Mark], data: Sequence[_Datum]) -> list[Mark]:
    """The marks with their labels where there is room; a tree that has several points is labelled once."""
    labels: dict[tuple[float, float, str], int] = {}
    for i in sorted(range(len(marks)), key=lambda i: not marks[i].recommended):
        if data[i].label:
            labels.setdefault((marks[i].x, marks[i].y, data[i].label), i)
    chosen = list(labels.values())

    def rect(mark: Mark) -> Rect:
        # The placement counts y upwards.
        return Rect(mark.x - MARK / 2, -mark.y - MARK / 2, mark.x + MARK / 2, -mark.y + MARK / 2)

    sizes = [(7.5 * len(data[i].label) + 2, 13.0) for i in chosen]
    bars = [Rect(m.x - 1, -m.low, m.x + 1, -m.high) for m in marks if m.low is not None and m.high is not None]
    page = Rect(LEFT, -BOTTOM, RIGHT + 12, -TOP)
    taken = [*map(rect, marks), *bars]
    places = place_labels([rect(marks[i]) for i in chosen], sizes, taken, page, (1.0, 8.0, 16.0), above=True)
    placed = list(marks)
    for i, place in zip(chosen, places, strict=True):
        if place is not None:
            at = (round(place.middle[0], 1), round(4 - place.middle[1], 1))
            placed[i] = Mark(**{**marks[i].__dict__, "label": data[i].label, "label_at": at})
    return placed
