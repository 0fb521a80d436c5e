"""The picture of a transfer map: which task helps and which hurts which other one, by ranges of blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from nas.report.canvas import Canvas, TextStyle, shortened, text_width, wrapped
from nas.report.palette import GAIN, LOSS, task_colours
from nas.report.theme import GREY, INK, PALE, THEMES, ThemeName

if TYPE_CHECKING:
    from nas.strategies.transfer.gains import Gain
    from nas.strategies.transfer.transfer_map import Panel, TransferMap

TITLE, LINE, RANGE = TextStyle(10.5, INK, bold=True), TextStyle(8.0, GREY), TextStyle(8.5, INK, bold=True)
NAME_SIZE, NAME_ROOM = 7.5, 72.0
PAGE_WIDTH = 840.0
"""Largest width in points of a row with more than one panel."""
LEAST_WIDTH = 330.0
"""Least width of the lines above the panels."""
PANEL_GAP, ROW_GAP, LINE_HEIGHT = 16.0, 18.0, 11.5
CELL_GAP = 1.0

STRENGTHS = (1.0, 0.5, 0.1)
"""Strength of the colours of gains that are certain, likely, or cannot be told from noise."""
STEPS = (1.0, 1 / 4, 1 / 16)
"""Gains in the legend, as shares of the scale."""


class _Cell(NamedTuple):
    """Width and height of a cell, and the size of its number; 0 leaves the numbers out."""

    width: float
    height: float
    number: float


CELLS = ((8, _Cell(22, 16, 6.6)), (14, _Cell(20, 14, 5.6)), (24, _Cell(12, 12, 0)))
"""The cells of a map with at most so many tasks."""
SMALLEST = _Cell(8, 8, 0)


def draw_transfer_map(shown: TransferMap, *, title: str | None = None, theme: ThemeName = "light") -> Figure:
    """One grid for each range of blocks: in row t and column s, what sharing these blocks with s does to t.

    Gains are blue, losses vermilion; the colour's strength is the square root of the gain's size, times `STRENGTHS` by
    how sure the gain is. The numbers are percents of the task's loss, bold if the gain is certain. Maps of more than 14
    tasks have no numbers.

    Raises:
        InputError: matplotlib is missing.
    """
    return _Drawing(shown, theme).figure(title)


class _Drawing:
    """A map on a canvas."""

    def __init__(self, shown: TransferMap, theme: ThemeName) -> None:
        self.shown, self.theme = shown, THEMES[theme]
        self.canvas = Canvas(self.theme)
        num_tasks = len(shown.tasks)
        self.cell = next((cell for most, cell in CELLS if num_tasks <= most), SMALLEST)
        size = min(NAME_SIZE, self.cell.height - 1)
        self.styles = [TextStyle(size, self.theme.text(colour)) for colour in task_colours(num_tasks)]
        self.names = [shortened(name, TextStyle(size, INK), NAME_ROOM) for name in shown.tasks]
        self.name_width = max(text_width(name, style) for name, style in zip(self.names, self.styles, strict=True))
        self.width, self.height = num_tasks * self.cell.width, num_tasks * self.cell.height
        means = [abs(gain.mean) for panel in shown.panels for row in panel.gains_TT for gain in row if gain]
        # A power of two, so that the legend's steps are short numbers.
        self.scale = 2.0 ** math.ceil(math.log2(max(means, default=0.0) or 1.0))

    def figure(self, title: str | None) -> Figure:
        panels = self.shown.panels
        per_row = max(1, int((PAGE_WIDTH - self.name_width + PANEL_GAP) // (self.width + PANEL_GAP)))
        # Rows of equal length, as far as possible.
        per_row = math.ceil(len(panels) / math.ceil(len(panels) / per_row))
        head = RANGE.size + 8 + self.name_width * math.sqrt(0.5)
        for i, panel in enumerate(panels):
            row, column = divmod(i, per_row)
            left, top = column * (self.width + PANEL_GAP), row * (head + self.height + ROW_GAP) + head
            self._draw_panel(panel, left, top, head)
            if column == 0:
                self._draw_row_names(top)
        left, width = -self.name_width - 5, per_row * (self.width + PANEL_GAP) + self.name_width
        self._draw_legend(left, self.canvas.bottom + ROW_GAP)
        self._draw_heading(left, max(width, LEAST_WIDTH), title)
        return self.canvas.figure(margin=12)

    def _draw_panel(self, panel: Panel, left: float, top: float, head: float) -> None:
        room = self.width + PANEL_GAP - 4
        self.canvas.text(left, top - head + RANGE.size / 2, shortened(panel.name, RANGE, room), RANGE)
        for t, row in enumerate(panel.gains_TT):
            x = left + (t + 0.5) * self.cell.width
            self.canvas.text(x, top - 4, self.names[t], self.styles[t], slanted=True)
            for s, gain in enumerate(row):
                self._draw_cell(gain, left + s * self.cell.width, top + t * self.cell.height)

    def _draw_row_names(self, top: float) -> None:
        for t, (name, style) in enumerate(zip(self.names, self.styles, strict=True)):
            self.canvas.text(-5, top + (t + 0.5) * self.cell.height, name, style, "right")

    def _draw_cell(self, gain: Gain | None, left: float, top: float) -> None:
        cell = self.cell
        colour = PALE if gain is None else self._colour(gain.mean, gain.certainty)
        self.canvas.box(colour, left, top, cell.width - CELL_GAP, cell.height - CELL_GAP)
        if gain is not None and cell.number:
            ink = GREY if gain.certainty == self.words[-1] else self.theme.text_on(colour)
            style = TextStyle(cell.number, ink, bold=gain.certainty == self.words[0])
            x, y = left + (cell.width - CELL_GAP) / 2, top + (cell.height - CELL_GAP) / 2
            self.canvas.text(x, y, _number(gain.mean), style, "center")

    @property
    def words(self) -> Sequence[str]:
        return list(self.shown.levels)

    def _colour(self, mean: float, certainty: str) -> str:
        strength = STRENGTHS[self.words.index(certainty)] * math.sqrt(min(1.0, abs(mean) / self.scale))
        return self.theme.faded(GAIN if mean > 0 else LOSS, strength)

    def _draw_legend(self, left: float, top: float) -> None:
        """A table of colours: sizes of gains by how sure they are."""
        width, style = 28.0, TextStyle(7.5, GREY)
        steps = [*(-step for step in STEPS), *reversed(STEPS)]
        for i, step in enumerate(steps):
            x = left + i * width
            self.canvas.text(
                x + (width - CELL_GAP) / 2, top, f"{self.scale * step:+.2g}".replace("-", "−"), style, "center"
            )
            for j, word in enumerate(self.words):
                box = self._colour(self.scale * step, word)
                self.canvas.box(box, x, top + 7 + 13 * j, width - CELL_GAP, 12)
        right = left + len(steps) * width + 6
        self.canvas.text(right, top, "% of the loss", style)
        for j, (word, least) in enumerate(self.shown.levels.items()):
            last = j == len(self.words) - 1
            about = "" if last else f": with probability {100 * least:g} % or more the sign is right"
            bold = " (bold)" if j == 0 and self.cell.number else ""
            self.canvas.text(right, top + 13 + 13 * j, f"{word}{bold}{about}", style)

    def _draw_heading(self, left: float, width: float, title: str | None) -> None:
        what = (
            "A row says what its task gains (+) or loses (−), in % of its loss, by sharing these blocks with the "
            "column's task alone.",
            "In a group of n tasks, 2/n of a number counts.",
        )
        lines = [(line, LINE) for sentence in what for line in wrapped(sentence, LINE, width)]
        lines.insert(0, (shortened(title or "What sharing blocks does to each task", TITLE, width), TITLE))
        y = self.canvas.top - 10 - LINE_HEIGHT * len(lines)
        for i, (text, style) in enumerate(lines):
            self.canvas.text(left, y + LINE_HEIGHT * i - (3 if style is TITLE else 0), text, style)


def _number(mean: float) -> str:
    """``+1.9``, ``−12`` or ``0``."""
    text = f"{mean:+.0f}" if abs(mean) >= 9.95 else f"{mean:+.1f}"
    return "0" if float(text) == 0 else text.replace("-", "−")
