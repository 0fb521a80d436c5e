"""The pictures that a search draws into ``figures/``."""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from nas.files import make_folder
from nas.report.theme import ThemeName
from nas.run import Front, Point, RunFolder
from nas.run.comparison import Comparison
from nas.run.costs import read_costs
from nas.run.evidence import read_transfer_map
from nas.tree import CostTable, read_tree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOGGER = logging.getLogger(__name__)

_NO_PICTURES = "no pictures drawn: matplotlib is not installed (pip install 'branched-nas[plot]')"

_MOST_TREES = 100
"""At most so many trees are drawn, non-dominated ones first. `nas show` draws any tree."""


def draw_figures(run: RunFolder, front: Front, table: CostTable, *, drawn: Container[str] = ()) -> None:
    """Draw the front, its trees and, of a measured search, the transfer map; without matplotlib, log a warning.

    A search on a bare GPU machine needs no pictures; `nas show` draws them later, on another machine.

    Args:
        drawn: ids of trees that have their picture already.
    """
    try:
        from nas.report import draw_transfer_map, save_figure, save_tree
    except ImportError:
        _LOGGER.warning(_NO_PICTURES)
        return
    figures = run.path / "figures"
    make_folder(figures)
    # Several trials may have found the same tree, each with its own backbone.
    points: dict[str, Point] = {}
    for point in sorted(front.points, key=lambda point: point.dominated):
        if point.tree_id not in drawn:
            points.setdefault(point.tree_id, point)
    for name, point in list(points.items())[:_MOST_TREES]:
        costs = read_costs(run, point.trial)
        save_tree(read_tree(run.path / point.tree), figures / f"{name}.png", costs, resource=front.resource)
    save_figure(front_figure(run, front, table), figures / "front.png")
    if (transfer := read_transfer_map(run.trial(front.leading.trial))) is not None:
        save_figure(draw_transfer_map(transfer), figures / "transfer.png")


def front_figure(run: RunFolder, front: Front, table: CostTable | None, theme: ThemeName = "light") -> Figure:
    """A run's front with its curves and, with a cost table, its budgets.

    Raises:
        InputError: matplotlib is missing.
    """
    from nas.report import draw_front

    records = [point.model_dump() for point in front.alike]
    return draw_front(records, table, resource=front.resource, curves=curves_beside(run, front.alike), theme=theme)


def curves_beside(run: RunFolder, points: Sequence[Point]) -> list[list[tuple[float, float]]]:
    """Cost and quality along the curves of the trials, as far as the points' qualities are values of the curves.

    The lower the value of a curve, the better is the tree, so the quality is minus the value. The curve of a gradient
    search has other values than the losses of its trees, and measured qualities differ from estimates; such curves
    cannot share the picture's axis.
    """
    curves = []
    for number in sorted({point.trial for point in points}):
        curve = run.trial(number).curve
        quality = {tree.tree: -tree.value for tree in curve.points} if curve else {}
        found = [point for point in points if point.trial == number and point.tree_id in quality]
        if curve and found and all(point.quality.value == quality[point.tree_id] for point in found):
            curves.append([(tree.cost, -tree.value) for tree in curve.points])
    return curves


COMPARISON = ("comparison.png", "gains.png")
"""What `draw_comparison_figures` draws: delta_m against cost, and what each task gains or loses."""


def draw_comparison_figures(run: RunFolder, comparison: Comparison) -> None:
    """Draw the result of a comparison into ``figures/``; without matplotlib, log a warning."""
    try:
        from nas.report.comparison import draw_comparison, draw_task_gains
    except ImportError:
        _LOGGER.warning(_NO_PICTURES)
        return
    from nas.report.save import save_figure

    make_folder(run.path / "figures")
    for name, draw in zip(COMPARISON, (draw_comparison, draw_task_gains), strict=True):
        save_figure(draw(comparison), run.path / "figures" / name)
