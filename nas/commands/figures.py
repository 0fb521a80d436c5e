"""The pictures that a search leaves in ``figures/``."""

import logging

from nas.experiment import Front, RunFolder
from nas.files import make_folder
from nas.tree import CostTable, read_tree

_LOGGER = logging.getLogger(__name__)


def draw_figures(run: RunFolder, front: Front, table: CostTable) -> None:
    """Draw every tree of the front, and the front; without matplotlib, say so and leave them out.

    A search on a bare GPU machine needs no pictures; `nas show` draws them later, elsewhere.
    """
    try:
        from nas.report import draw_front, save_figure, save_tree
    except ImportError:
        _LOGGER.warning("no pictures drawn: matplotlib is not installed (pip install 'branched-nas[plot]')")
        return
    figures = run.path / "figures"
    make_folder(figures)
    for point in front.points:
        tree = read_tree(run.path / point.tree)
        save_tree(tree, figures / f"{tree.id}.png", table, resource=front.resource)
    # Qualities of two measures have no axis in common.
    alike = [point.model_dump() for point in front.points if point.quality.kind == front.best.quality.kind]
    figure = draw_front(alike, table, resource=front.resource)
    save_figure(figure, figures / "front.png")
