"""A page on which shapes and text are drawn, in points; the only module of the tree's picture that uses matplotlib."""

import io
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from nas.errors import InputError
from nas.report.theme import LIGHT, Theme


class MissingMatplotlib(InputError, ImportError):
    """Matplotlib is not installed. It is also an ImportError, so that callers can skip pictures."""


try:
    import matplotlib.style
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as PlotPath
    from matplotlib.textpath import text_to_path
except ImportError as error:
    raise MissingMatplotlib("pictures need matplotlib; install it with: pip install 'branched-nas[plot]'") from error

# The font that comes with matplotlib, so that a picture is the same on every machine; where an SVG is shown without
# it, some other sans-serif.
FONTS = ["DejaVu Sans", "sans-serif"]

# Text stays text, and the same figure gives the same bytes.
SAVE_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "branched-nas", "pdf.fonttype": 42}
NO_DATE = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}

Pixels = npt.NDArray[np.float32]

Point = tuple[float, float]
Align = Literal["left", "center", "right"]


class TextStyle(NamedTuple):
    """Size in points; the colour is ``#rrggbb`` or the name of one of a theme's greys."""

    size: float
    colour: str
    bold: bool = False


class Canvas:
    """Shapes and text in points, x to the right, y downwards; the page becomes as large as what is drawn.

    Colours are ``#rrggbb`` or the names of the theme's greys.

    Attributes:
        origin: the point of the page from which everything that is drawn next is measured.
        left, top, right, bottom: the extent of what has been drawn so far.
    """

    def __init__(self, theme: Theme = LIGHT) -> None:
        self.theme, self.origin = theme, (0.0, 0.0)
        self._figure = Figure(facecolor=theme.ground)
        self._figure.set_layout_engine("none")
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._pictures: list[tuple[Pixels, tuple[float, float, float, float]]] = []
        self.left = self.top = math.inf
        self.right = self.bottom = -math.inf

    def figure(self, margin: float) -> Figure:
        """The page: what was drawn, with a margin around it."""
        left, right, top, bottom = self.left - margin, self.right + margin, self.top - margin, self.bottom + margin
        self._figure.set_size_inches((right - left) / 72, (bottom - top) / 72)
        self._axes.set(xlim=(left, right), ylim=(bottom, top))
        for picture, extent in self._pictures:
            # Above the frames, which are patches (1), and below the text (3).
            self._axes.imshow(picture, extent=extent, aspect="auto", interpolation="nearest", zorder=2)
        return self._figure

    def polygon(self, vertices: Sequence[Point], colour: str, *, border: str | None = None, above: bool = True) -> None:
        """A filled polygon, with a border if this has a colour; below all lines and polygons unless ``above``."""
        vertices = self._on_page(vertices)
        self._axes.add_patch(
            PathPatch(
                PlotPath([*vertices, vertices[0]], closed=True),
                facecolor=self.theme.colour(colour),
                edgecolor="none" if border is None else self.theme.colour(border),
                linewidth=0 if border is None else 1.3,
                clip_on=False,
                zorder=1 if above else 0.5,
            )
        )

    def box(self, colour: str, left: float, top: float, width: float, height: float) -> None:
        right, bottom = left + width, top + height
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def picture(self, pixels: Pixels, left: float, top: float, width: float, height: float) -> None:
        """Pixels [H, W, 3] over the boxes and below the text. They do not extend the page, since they fill a box."""
        x, y = self.origin
        self._pictures.append((pixels, (x + left, x + left + width, y + top + height, y + top)))

    def bezier(self, points: Sequence[Point], colour: str, thickness: float, dashes: Sequence[float] = ()) -> None:
        """A straight line to the second point, a cubic Bezier curve to the last but one, a straight line to the end."""
        points = self._on_page(points)
        codes = [PlotPath.MOVETO, PlotPath.LINETO, PlotPath.CURVE4, PlotPath.CURVE4, PlotPath.CURVE4, PlotPath.LINETO]
        patch = PathPatch(
            PlotPath(points, codes),
            edgecolor=self.theme.colour(colour),
            facecolor="none",
            linewidth=thickness,
            linestyle=(0, tuple(dashes)) if dashes else "solid",
            clip_on=False,
        )
        self._axes.add_patch(patch)

    def text(
        self, x: float, y: float, text: str, style: TextStyle, align: Align = "left", *, slanted: bool = False
    ) -> None:
        """Text on one line: (x, y) is the left end, the middle or the right end of its middle height.

        Slanted text rises to the right by 45 degrees.
        """
        width = text_width(text, style)
        cos, sin = (math.sqrt(0.5), -math.sqrt(0.5)) if slanted else (1.0, 0.0)
        start = {"left": 0.0, "center": -width / 2, "right": -width}[align]
        half = 0.6 * style.size
        self._on_page(
            [
                (x + along * cos - across * sin, y + along * sin + across * cos)
                for along in (start, start + width)
                for across in (-half, half)
            ]
        )
        self._axes.text(
            x + self.origin[0],
            y + self.origin[1],
            text,
            color=self.theme.colour(style.colour),
            fontproperties=_font(style),
            horizontalalignment=align,
            verticalalignment="center_baseline",
            rotation=45 if slanted else 0,
            rotation_mode="anchor",
            parse_math=False,
            usetex=False,
        )

    def _on_page(self, points: Sequence[Point]) -> list[Point]:
        """Points measured from the page's own corner; the page is extended to contain them."""
        moved = [(x + self.origin[0], y + self.origin[1]) for x, y in points]
        for x, y in moved:
            self.left, self.right = min(self.left, x), max(self.right, x)
            self.top, self.bottom = min(self.top, y), max(self.bottom, y)
        return moved


def text_width(text: str, style: TextStyle) -> float:
    """Width in points."""
    return float(text_to_path.get_text_width_height_descent(text, _font(style), False)[0])


def shortened(text: str, style: TextStyle, room: float) -> str:
    """The text, with an ellipsis in its middle if it is wider than ``room`` points.

    Characters that cannot be printed (a line break) are replaced.
    """
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    if text_width(text, style) <= room:
        return text
    for kept in range(len(text) - 1, 1, -1):
        cut = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
        if text_width(cut, style) <= room:
            return cut
    return "…"


def wrapped(text: str, style: TextStyle, room: float) -> list[str]:
    """The text in lines of at most ``room`` points, broken between words."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", style) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [shortened(line, style, room) for line in lines]


def _font(style: TextStyle) -> FontProperties:
    return FontProperties(family=FONTS, size=style.size, weight="bold" if style.bold else "normal")


def rendered(figure: Figure, kind: str, *, transparent: bool = False) -> bytes:
    """The figure as a ``png``, ``svg`` or ``pdf`` file, without its ground if ``transparent``; equal figures give equal
    bytes."""
    buffer = io.BytesIO()
    with plain_style():
        figure.savefig(buffer, format=kind, dpi=220, metadata=NO_DATE[kind], transparent=transparent)
    return buffer.getvalue()


def plain_style() -> AbstractContextManager[None]:
    """Matplotlib's own defaults and `SAVE_STYLE`, whatever style the user has set."""
    return matplotlib.style.context(SAVE_STYLE, after_reset=True)
