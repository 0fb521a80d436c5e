"""Places the labels of a scatter plot so that none covers another label or a point. Pure geometry, in points."""

from collections.abc import Sequence
from typing import NamedTuple


class Rect(NamedTuple):
    """From (left, bottom) to (right, top)."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def middle(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2

    def overlaps(self, other: "Rect") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def inside(self, other: "Rect") -> bool:
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.bottom <= self.bottom
            and self.top <= other.top
        )


def place_labels(
    marks: Sequence[Rect],
    sizes: Sequence[tuple[float, float]],
    taken: Sequence[Rect],
    page: Rect,
    gaps: Sequence[float],
    *,
    above: bool,
) -> list[Rect | None]:
    """A place for the label of each mark, in the order of the marks; None if there is no room left.

    Labels do not cover the rectangles in ``taken``, nor lines from other labels to their marks.

    Args:
        marks: the marks of the points.
        sizes: width and height of each mark's label.
        taken: rectangles that no label may cover, including the marks.
        page: the rectangle that contains all labels.
        gaps: distances between mark and label, in the order of the attempts.
        above: try places above and to the left first, where no other point can be if the mark is on the front; else
            try those below and to the right first.
    """
    taken, placed = list(taken), list[Rect]()
    places: list[Rect | None] = []
    for mark, size in zip(marks, sizes, strict=True):
        around = [_around(mark, size, gap)[:: 1 if above else -1] for gap in gaps]
        # All distances on the better side come before the worse side.
        candidates = [c for side in (slice(4), slice(4, 8)) for places_at in around for c in places_at[side]]
        free = [c for c in candidates if c.inside(page) and _is_free(c, taken)]
        others = [other for other in taken if other != mark]
        # Prefer places whose line to the mark avoids the other marks.
        place = next((c for avoided in (others, placed) for c in free if _is_free_way(mark, c, avoided)), None)
        if place is not None:
            placed.append(place)
            taken += [place, *_way(mark, place)]
        places.append(place)
    return places


def _is_free(place: Rect, taken: Sequence[Rect]) -> bool:
    return not any(place.overlaps(other) for other in taken)


def _is_free_way(mark: Rect, place: Rect, avoided: Sequence[Rect]) -> bool:
    return all(_is_free(step, avoided) for step in _way(mark, place))


def _way(mark: Rect, place: Rect) -> list[Rect]:
    """Steps on the line between the middles of a mark and of its label."""
    x0, y0, x1, y1 = (*mark.middle, *place.middle)
    steps = [(x0 + (x1 - x0) * i / 16, y0 + (y1 - y0) * i / 16) for i in range(17)]
    return [Rect(x, y, x, y) for x, y in steps]


def _around(mark: Rect, size: tuple[float, float], gap: float) -> list[Rect]:
    """The eight places from above left to below right."""
    width, height = size
    (middle_x, middle_y) = mark.middle
    left, x, right = mark.left - gap - width, middle_x - width / 2, mark.right + gap
    below, y, above = mark.bottom - gap - height, middle_y - height / 2, mark.top + gap
    near = 0.3 * gap  # else a corner is further away than a side
    places = [
        (left + near, above - near),
        (x, above),
        (left, y),
        (right - near, above - near),
        (left + near, below + near),
        (x, below),
        (right, y),
        (right - near, below + near),
    ]
    return [Rect(x, y, x + width, y + height) for x, y in places]
