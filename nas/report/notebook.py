"""The pictures that results show in a notebook, by the names that `nas.display.Displayed` gives them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nas.display import Displayed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nas.run import Front
    from nas.run.curve_record import CurveRecord
    from nas.run.results import Run


def draw(value: Displayed) -> str | None:
    """A result as an SVG; None if there is no picture of it, or matplotlib is missing."""
    assert value.picture is not None
    try:
        from nas.report.canvas import rendered
    except ImportError:
        return None
    figure = PICTURES[value.picture](value)
    if figure is None:
        return None
    # Without the declarations of a file, since a notebook puts it into a page.
    text = rendered(figure, "svg").decode()
    return text[text.index("<svg") :]


def _tree(tree: Any) -> "Figure":
    from nas.report import draw_tree

    return draw_tree(tree)


def _front(front: "Front") -> "Figure":
    from nas.report import draw_front

    return draw_front([point.model_dump() for point in front.alike], resource=front.resource)


def _curve(curve: "CurveRecord") -> "Figure":
    from nas.report import draw_front

    quality = {"measure": "minus the curve's value", "kind": "estimated"}
    points = [
        {
            "tree": point.tree,
            "budget": None,
            "cost": {curve.resource: point.cost},
            "quality": {**quality, "value": -point.value},
            "dominated": False,
        }
        for point in curve.points
    ]
    return draw_front(points, resource=curve.resource)


def _transfer_map(shown: Any) -> "Figure":
    from nas.report import draw_transfer_map

    return draw_transfer_map(shown)


def _run(run: "Run") -> "Figure | None":
    """The front with its budgets and curves; without a search, the retrained tree."""
    from nas.report.figures import front_figure

    return front_figure(run, run.front, run.cost_table) if run.finished else None


PICTURES: Mapping[str, Callable[[Any], "Figure | None"]] = {
    "tree": _tree,
    "front": _front,
    "curve": _curve,
    "transfer map": _transfer_map,
    "run": _run,
}
