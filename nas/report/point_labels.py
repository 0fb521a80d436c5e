"""Labels beside the points of a plot, none of which covers another label, a point or a line."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes

from nas.report.canvas import TextStyle, shortened, text_width
from nas.report.label_placement import Rect, place_labels
from nas.report.theme import LIGHT_GREY, Theme

NAME_ROOM = 130.0
GAPS = (3.0, 10.0, 18.0, 27.0, 38.0, 50.0)
"""Distances between a mark and its label, in the order of the attempts; ``near`` labels use only the first three."""
LINE_HEIGHT = 1.2
ROW_HEIGHT = 9.0
"""Points between the rows of the texts at the upper edge."""

Position = tuple[float, float]


class Label(NamedTuple):
    """Lines of text, each with its style, for a mark of some size at a position in the plot."""

    position: Position
    lines: Sequence[tuple[str, TextStyle]]
    mark: float


class Page:
    """Positions in a plot, in points from the corner of its figure; the figure's layout must be final."""

    def __init__(self, axes: Axes, theme: Theme) -> None:
        self.axes, self.theme = axes, theme
        self._per_pixel = 72 / axes.figure.dpi

    def at(self, position: Position) -> Position:
        x, y = self.axes.transData.transform(position)
        return x * self._per_pixel, y * self._per_pixel

    def extent(self, artist: Artist) -> Rect:
        box = artist.get_window_extent()
        return Rect(*(edge * self._per_pixel for edge in (box.x0, box.y0, box.x1, box.y1)))

    def mark(self, label: Label) -> Rect:
        return square(*self.at(label.position), label.mark)

    def segment(self, a: Position, b: Position) -> Rect:
        """A level or upright line."""
        (x0, y0), (x1, y1) = self.at(a), self.at(b)
        return Rect(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))

    def draw_labels(
        self, labels: Sequence[Label], taken: Sequence[Rect], faint: Sequence[Rect] = (), *, above: bool
    ) -> list[Rect]:
        """Draw the labels that have room, the first ones first, and return their places.

        Args:
            taken: what no label may cover.
            faint: lines that a label covers only if there is no other place close to its mark.
            above: try the places above and to the left first, and further away; else only places close to the mark.
        """
        texts = [[(shortened(text, style, NAME_ROOM), style) for text, style in label.lines] for label in labels]
        sizes = [
            (max(text_width(*line) for line in text), sum(LINE_HEIGHT * style.size for _, style in text))
            for text in texts
        ]
        marks, frame = [self.mark(label) for label in labels], self.extent(self.axes)
        drawn: list[Rect] = []
        waiting = list(range(len(labels)))
        for avoided, gaps in (([*taken, *faint], GAPS[:2]), (taken, GAPS if above else GAPS[:3])):
            places = place_labels(
                [marks[i] for i in waiting], [sizes[i] for i in waiting], [*avoided, *drawn], frame, gaps, above=above
            )
            for i, place in zip(waiting, places, strict=True):
                if place is not None:
                    self._draw(labels[i], texts[i], place)
                    drawn.append(place)
            waiting = [i for i, place in zip(waiting, places, strict=True) if place is None]
        return drawn

    def _draw(self, label: Label, lines: Sequence[tuple[str, TextStyle]], place: Rect) -> None:
        x, y = self.at(label.position)
        beside = place.overlaps(square(x, y, label.mark + 3 * GAPS[0]))
        if not beside:
            self.axes.annotate(
                "",
                label.position,
                (min(max(x, place.left), place.right) - x, min(max(y, place.bottom), place.top) - y),
                textcoords="offset points",
                arrowprops={
                    "arrowstyle": "-",
                    "color": self.theme.colour(LIGHT_GREY),
                    "linewidth": 0.6,
                    "shrinkA": 0,
                    "shrinkB": label.mark / 2,
                },
                zorder=1,
            )
        top = place.top
        for text, style in lines:
            top -= LINE_HEIGHT * style.size
            self.axes.annotate(
                text,
                label.position,
                (place.left - x, top - y),
                textcoords="offset points",
                verticalalignment="bottom",
                zorder=4,
                **text_options(style, self.theme),
            )


def rows_of(texts: Iterable[tuple[Position, float]]) -> list[int]:
    """A row for each text, from left to right by its middle and width: the first in which it covers no other text."""
    ends: list[float] = []
    rows = []
    for (x, _), width in texts:
        row = next((i for i, end in enumerate(ends) if end < x - width / 2), len(ends))
        ends[row : row + 1] = [x + width / 2 + 3]
        rows.append(row)
    return rows


def square(x: float, y: float, size: float) -> Rect:
    return Rect(x - size / 2, y - size / 2, x + size / 2, y + size / 2)


def text_options(style: TextStyle, theme: Theme) -> dict[str, Any]:
    """A style as matplotlib's arguments."""
    weight = "bold" if style.bold else "normal"
    return {"fontsize": style.size, "color": theme.colour(style.colour), "fontweight": weight, "parse_math": False}
