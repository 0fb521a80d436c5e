"""The pictures that a search draws into ``figures/``."""

import logging

from nas.files import make_folder
from nas.run import Front, Point, RunFolder
from nas.run.costs import read_costs
from nas.tree import CostTable, read_tree

_LOGGER = logging.getLogger(__name__)

_MOST_TREES = 100
"""At most so many trees are drawn, non-dominated ones first. `nas show` draws any tree."""


def draw_figures(run: RunFolder, front: Front, table: CostTable) -> None:
    """Draw the front and its trees; without matplotlib, log a warning and draw nothing.

    A search on a bare GPU machine needs no pictures; `nas show` draws them later, on another machine.
    """
    try:
        from nas.report import draw_front, save_figure, save_tree
    except ImportError:
        _LOGGER.warning("no pictures drawn: matplotlib is not installed (pip install 'branched-nas[plot]')")
        return
    figures = run.path / "figures"
    make_folder(figures)
    # Several trials may have found the same tree, each with its own backbone.
    points: dict[str, Point] = {}
    for point in sorted(front.points, key=lambda point: point.dominated):
        points.setdefault(point.tree_id, point)
    for name, point in list(points.items())[:_MOST_TREES]:
        costs = read_costs(run, point.trial)
        save_tree(read_tree(run.path / point.tree), figures / f"{name}.png", costs, resource=front.resource)
    # Estimated and measured qualities cannot share an axis.
    kind = (front.best or front.points[0]).quality.kind
    alike = [point.model_dump() for point in front.points if point.quality.kind == kind]
    figure = draw_front(alike, table, resource=front.resource)
    save_figure(figure, figures / "front.png")
