"""The picture of a front: every tree that was found, by what it costs and how good it is."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nas.errors import InputError
from nas.report.amounts import format_quantity
from nas.report.canvas import TextStyle, plain_style, text_width
from nas.report.label_placement import Rect
from nas.report.palette import OKABE_ITO
from nas.report.plot_frame import draw_cost_axis, draw_headings, draw_legend, plot_figure
from nas.report.point_labels import ROW_HEIGHT, Label, Page, rows_of, text_options
from nas.report.summary import check_resource
from nas.report.theme import GREY, INK, THEMES, Theme, ThemeName
from nas.tree import BranchTree, CostTable

BEST = OKABE_ITO[0]
NAME, ID, BUDGET = TextStyle(7.5, INK), TextStyle(6.0, GREY), TextStyle(6.5, GREY)
PLOT_WIDTH = 330.0
"""About the width of the plot in points, before its layout is known."""
MOST_DOMINATED_IDS = 25
"""Largest number of dominated trees that get labels; more labels would hide the points."""
MOST_BUDGET_ROWS = 4
MARKS = {"estimated": "o", "measured": "D"}
MARK = 5.5
"""Diameter of a point's mark."""
LABELS = "Labels: the budget that a tree was found within, and its id, for nas show RUN --tree ID"


class _Point(NamedTuple):
    cost: float
    quality: float
    tree_id: str
    kind: str
    dominated: bool
    std: float | None = None
    recommended: bool = False

    @property
    def place(self) -> tuple[float, float]:
        return self.cost, self.quality


def draw_front(
    points: Sequence[Mapping[str, Any]],
    table: CostTable | None = None,
    *,
    title: str | None = None,
    resource: str = "macs",
    curves: Sequence[Sequence[tuple[float, float]]] = (),
    theme: ThemeName = "light",
) -> Figure:
    """Trees by cost and quality: the front filled and connected, dominated trees hollow, budgets as dotted lines.

    The steps show the best quality up to each cost, bars one standard deviation, where it is known. The recommended
    tree has a ring. A legend below says so. Trees are named by their budgets, with their ids, if there is room: first
    the recommended one, then the others of the front, then (by id alone) the dominated ones.

    Args:
        points: the points of a ``front.json``, as mappings with the fields of `nas.run.Point`.
        table: the cost table. With it there is a second axis with shares of the cost of separate networks, and lines
            for budgets that are such shares and for the costs of the shared tree and of separate networks.
        title: a heading.
        resource: the cost that counts.
        curves: cost and quality of all trees of each curve, cheapest first, drawn as thin steps behind the points.
        theme: "light" or "dark".

    Raises:
        InputError: there are no points, they differ in their measure or lack the resource; matplotlib is missing.
    """
    if table is not None:
        check_resource(table, resource)
    trees = _trees(points, resource)
    separate = None if table is None else table.separate_cost()[resource]
    names = _names(points, trees, resource)
    lines = _budgets((point["budget"] for point in points), separate, resource)
    colours = THEMES[theme]
    with plain_style():
        figure, axes = plot_figure(colours)
        draw_cost_axis(axes, resource, separate, colours)
        kinds = "/".join(dict.fromkeys(tree.kind for tree in trees))
        draw_headings(axes, f"{points[0]['quality']['measure']}; {kinds}, higher is better", title, colours)
        for curve in curves:
            axes.step(
                *zip(*curve, strict=True),
                where="post",
                color=colours.grey,
                linewidth=0.6,
                zorder=1,
                label="curve: the best tree for every cost",
            )
        _draw_points(axes, trees, colours)
        references = {} if table is None else _references(table, resource)
        _widen(axes, references if len({tree.tree_id for tree in trees}) == 1 and not curves else ())
        if len(trees) == 1 and not curves and trees[0].std is None:
            # Without another tree, the height of the plot says nothing.
            axes.set_yticks([trees[0].quality])
        low, high = axes.get_xlim()
        lines |= {cost: text for cost, text in references.items() if low <= cost <= high}
        height = _draw_lines(axes, lines, colours)
        draw_legend(figure, axes, LABELS, colours)
        # Labels are placed by the positions of the points on the page, so the layout has to be computed first.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        page = Page(axes, colours)
        texts = _draw_line_texts(page, lines, height)
        faint = [page.segment((cost, axes.get_ylim()[0]), (cost, height)) for cost in lines]
        _draw_labels(page, trees, names, curves, texts, faint)
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
            point["quality"].get("std"),
            point.get("recommended", False),
        )
        for point in points
    }
    recommended = {tree._replace(recommended=False) for tree in trees if tree.recommended}
    return sorted(trees - recommended, key=lambda tree: tree._replace(std=tree.std or 0.0))


def _names(points: Sequence[Mapping[str, Any]], trees: Sequence[_Point], resource: str) -> dict[str, str]:
    """What the trees are called, by id: recommended, and the budgets for which they were found."""
    budgets: dict[str, set[float]] = {}
    for point in points:
        found = budgets.setdefault(PurePosixPath(point["tree"]).stem, set())
        if point["budget"] is not None:
            found.add(point["budget"])
    return {
        tree.tree_id: ", ".join(
            [
                *(["recommended"] if tree.recommended else []),
                *(_budget(budget, resource) for budget in sorted(budgets[tree.tree_id])),
            ]
        )
        or "no budget"
        for tree in trees
    }


def _budget(value: float, resource: str) -> str:
    """A share of separate networks (up to 1), or an amount."""
    return format_quantity(value, resource) if value > 1 else f"{100 * value:.3g} %"


def _budgets(values: Iterable[float | None], separate: float | None, resource: str) -> dict[float, str]:
    """The budgets that can be drawn, by cost: shares of separate networks need their cost."""
    known = sorted({value for value in values if value is not None})
    return {
        value if value > 1 else value * (separate or 0.0): _budget(value, resource)
        for value in known
        if value > 1 or separate is not None
    }


def _references(table: CostTable, resource: str) -> dict[float, str]:
    shared = BranchTree.shared(tuple(table.heads), len(table.blocks))
    return {table.tree_cost(shared)[resource]: "all shared", table.separate_cost()[resource]: "separate"}


def _draw_points(axes: Axes, trees: Sequence[_Point], theme: Theme) -> None:
    blue = theme.text(BEST)
    front = [tree for tree in trees if not tree.dominated]
    if len(front) > 1:
        name = "the best quality up to each cost"
        axes.step(*_positions(front), where="post", color=blue, alpha=0.4, lw=1.2, label=name)
    known = [tree for tree in trees if tree.std]
    if known:
        axes.errorbar(
            *_positions(known),
            [tree.std or 0.0 for tree in known],
            fmt="none",
            ecolor=theme.grey,
            elinewidth=0.8,
            capsize=2,
            zorder=1.5,
            label="± one standard deviation",
        )
    kinds = dict.fromkeys(tree.kind for tree in trees)
    for dominated in (False, True):
        for kind in kinds:
            shown = [tree for tree in trees if tree.kind == kind and tree.dominated == dominated]
            if shown or not dominated:
                axes.scatter(
                    *_positions(shown),
                    s=MARK**2,
                    marker=MARKS[kind],
                    facecolors=theme.ground if dominated else blue,
                    edgecolors=theme.grey if dominated else blue,
                    linewidths=0.8,
                    zorder=2 if dominated else 3,
                    label=f"{'beaten in cost and quality' if dominated else 'tree of the front'}, {kind}",
                )
    recommended = [tree for tree in trees if tree.recommended]
    axes.scatter(
        *_positions(recommended),
        s=(2 * MARK) ** 2,
        facecolors="none",
        edgecolors=blue,
        linewidths=1.1,
        zorder=3,
        label="recommended" if recommended else None,
    )


def _positions(trees: Sequence[_Point]) -> tuple[list[float], list[float]]:
    return [tree.cost for tree in trees], [tree.quality for tree in trees]


def _widen(axes: Axes, included: Collection[float]) -> None:
    """Widen the cost axis to some costs, and to at least a fifth of the costs from zero, so that trees of similar cost
    are close together; never below zero."""
    low, high = axes.get_xlim()
    if included:
        room = 0.1 * (max(included) - min(included))
        low, high = min(low, min(included) - room), max(high, max(included) + room)
    missing = max(0.0, 0.2 * high - (high - low))
    axes.set_xlim(max(0.0, low - missing / 2), high + missing / 2)


def _draw_lines(axes: Axes, costs: Mapping[float, str], theme: Theme) -> float:
    """Dotted lines up to the height that is returned, with free height above for their texts."""
    low, high = axes.get_ylim()
    if costs:
        dots: dict[str, Any] = {"color": theme.light_grey, "linewidth": 0.9, "linestyle": (0, (1, 2.2)), "zorder": 0}
        axes.vlines(sorted(costs), low, high, **dots, label="budget, or cost of a baseline")
        left, right = axes.get_xlim()
        to_points = PLOT_WIDTH / (right - left)
        about = [(((cost - left) * to_points, 0.0), text_width(costs[cost], BUDGET)) for cost in sorted(costs)]
        num_rows = min(1 + max(rows_of(about)), MOST_BUDGET_ROWS)
        axes.set_ylim(low, high + (0.02 + 0.04 * num_rows) * (high - low))
    return high


def _draw_labels(
    page: Page,
    trees: Sequence[_Point],
    names: Mapping[str, str],
    curves: Sequence[Sequence[tuple[float, float]]],
    taken: Sequence[Rect],
    faint: Sequence[Rect],
) -> None:
    """Names beside the points, never over a curve; those of the front also further away, with a line."""
    # The best first, since there is room above the points of the front.
    front = [tree for tree in reversed(trees) if not tree.dominated]
    taken = list(taken)
    for steps in ([tree.place for tree in reversed(front)], *curves):
        for (x0, y0), (x1, y1) in pairwise(steps):
            taken += [page.segment((x0, y0), (x1, y0)), page.segment((x1, y0), (x1, y1))]
    for tree in trees:
        if tree.std:
            taken.append(page.segment((tree.cost, tree.quality - tree.std), (tree.cost, tree.quality + tree.std)))
    marks = {tree: Label(tree.place, (), 2 * MARK if tree.recommended else MARK) for tree in trees}
    taken += [page.mark(mark) for mark in marks.values()]
    by_rank = sorted(front, key=lambda tree: not tree.recommended)
    labels = [marks[tree]._replace(lines=[(names[tree.tree_id], NAME), (tree.tree_id, ID)]) for tree in by_rank]
    taken += page.draw_labels(labels, taken, faint, above=True)
    dominated = [tree for tree in trees if tree.dominated]
    if len(dominated) <= MOST_DOMINATED_IDS:
        labels = [marks[tree]._replace(lines=[(tree.tree_id, ID)]) for tree in dominated]
        page.draw_labels(labels, taken, faint, above=False)


def _draw_line_texts(page: Page, lines: Mapping[float, str], height: float) -> list[Rect]:
    """The texts of the lines above their upper ends, as far as there is room; and their places."""
    taken = []
    texts = {cost: (page.at((cost, height)), text_width(lines[cost], BUDGET)) for cost in sorted(lines)}
    for (cost, ((x, y), width)), row in zip(texts.items(), rows_of(texts.values()), strict=True):
        if row < MOST_BUDGET_ROWS:
            above = ROW_HEIGHT * row + 1
            page.axes.annotate(
                lines[cost],
                (cost, height),
                (0, above),
                textcoords="offset points",
                horizontalalignment="center",
                verticalalignment="bottom",
                **text_options(BUDGET, page.theme),
            )
            taken.append(Rect(x - width / 2, y + above, x + width / 2, y + above + ROW_HEIGHT))
    return taken
