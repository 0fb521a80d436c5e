"""The pictures that a search leaves in ``figures/``."""

import logging

from nas.files import make_folder
from nas.run import Front, Point, RunFolder
from nas.run.costs import read_costs
from nas.tree import CostTable, read_tree

_LOGGER = logging.getLogger(__name__)

_MOST_TREES = 100
"""Pictures of trees; those of the non-dominated ones, and then of others. `nas show` draws any."""


def draw_figures(run: RunFolder, front: Front, table: CostTable) -> None:
    """Draw the trees of the front, and the front; without matplotlib, say so and leave them out.

    A search on a bare GPU machine needs no pictures; `nas show` draws them later, elsewhere.
    """
    try:
        from nas.report import draw_front, save_figure, save_tree
    except ImportError:
        _LOGGER.warning("no pictures drawn: matplotlib is not installed (pip install 'branched-nas[plot]')")
        return
    figures = run.path / "figures"
    make_folder(figures)
    # Trials may have found a tree more than once, and each for a backbone of its own.
    points: dict[str, Point] = {}
    for point in sorted(front.points, key=lambda point: point.dominated):
        points.setdefault(point.tree_id, point)
    for name, point in list(points.items())[:_MOST_TREES]:
        costs = read_costs(run, point.trial)
        save_tree(read_tree(run.path / point.tree), figures / f"{name}.png", costs, resource=front.resource)
    # Qualities of two measures have no axis in common.
    alike = [point.model_dump() for point in front.points if point.quality.kind == front.best.quality.kind]
    figure = draw_front(alike, table, resource=front.resource)
    save_figure(figure, figures / "front.png")
