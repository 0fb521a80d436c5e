"""The page of a sheet of samples: rows of pictures under names, words below them, and legends at its end."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure

from nas.report.canvas import Canvas, TextStyle, shortened, text_width
from nas.report.depth import DepthRange, depth_colours
from nas.report.label_view import Pixels, class_colours, class_name
from nas.report.theme import GREY, INK, PALE, Theme
from nas.tasks import Task

WORDS = TextStyle(9.5, INK)
MISSING = TextStyle(8.0, GREY)
PREDICTED, CLASS = TextStyle(8.0, GREY), TextStyle(8.0, INK)
NAME_SIZE = 7.0
SWATCH, SCALE_WIDTH = 8.0, 90.0
WORDS_ROOM = 110.0
"""Largest width in points of the words of one label."""
NAME_HEIGHT, WORDS_HEIGHT, LINE_GAP = 10.5, 11.5, 6.0
GAP, CELL_GAP = 5.0, 14.0


class Column(NamedTuple):
    """Pictures under one name, one per sample; None where the sample has no such label."""

    name: str
    pictures: Sequence[Pixels | None]


class Cell(NamedTuple):
    """A task's labels in words, one per sample, the predictions of the same samples, if any, and the largest width."""

    name: str
    words: Sequence[str | None]
    predicted: Sequence[str]
    width: float


class SheetPage:
    """Samples and legends on a canvas."""

    def __init__(self, width: float, height: float, colours: Mapping[str, str], theme: Theme) -> None:
        self.canvas = Canvas(theme)
        self.width, self.height = width, height
        self._colours = {name: theme.text(colour) for name, colour in colours.items()}

    def draw_pictures(
        self, i: int, columns: Sequence[Column | None], left: float, top: float, suffix: str = ""
    ) -> float:
        """Draw a row of pictures of sample i, its upper left corner at (left, top), and return the y where it ends."""
        for n, column in enumerate(columns):
            if column is not None:
                self._draw_picture(column.name, suffix, column.pictures[i], left + n * (self.width + GAP), top)
        return top + NAME_HEIGHT + self.height + LINE_GAP

    def draw_words(self, i: int, lines: Sequence[Sequence[Cell]], left: float, top: float) -> float:
        """Draw the words of sample i below (left, top), and return the y where they end."""
        y = top
        for line in lines:
            x = left
            for cell in line:
                self.draw_name(cell.name, x, y)
                text, style = (cell.words[i] or "\N{EN DASH}"), WORDS if cell.words[i] else MISSING
                self.canvas.text(x, y + NAME_HEIGHT + WORDS_HEIGHT / 2, shortened(text, style, WORDS_ROOM), style)
                if cell.predicted:
                    guess = shortened(cell.predicted[i], PREDICTED, WORDS_ROOM)
                    self.canvas.text(x, y + NAME_HEIGHT + 1.5 * WORDS_HEIGHT, guess, PREDICTED)
                x += cell.width + CELL_GAP
            y += NAME_HEIGHT + WORDS_HEIGHT * (2 if any(cell.predicted for cell in line) else 1) + LINE_GAP
        return y - LINE_GAP

    def draw_legend(self, task: Task, classes: Sequence[int], top: float) -> float:
        """Name the classes of a task's maps by their colours, and return the y where that ends."""
        palette = class_colours(task)
        right = self.canvas.right
        self.draw_name(task.name, 0, top)
        x, y = 0.0, top + NAME_HEIGHT
        for index in classes:
            name = shortened(class_name(task, index), CLASS, WORDS_ROOM)
            width = SWATCH + 4 + text_width(name, CLASS)
            if x > 0 and x + width > right:
                x, y = 0.0, y + WORDS_HEIGHT + LINE_GAP
            self.canvas.box(palette[index], x, y + (WORDS_HEIGHT - SWATCH) / 2, SWATCH, SWATCH)
            self.canvas.text(x + SWATCH + 4, y + WORDS_HEIGHT / 2, name, CLASS)
            x += width + CELL_GAP
        return y + WORDS_HEIGHT

    def draw_depth_scale(self, task: Task, shown: DepthRange, top: float) -> float:
        """Say which colours are near and far, and return the y where that ends."""
        self.draw_name(task.name, 0, top)
        y = top + NAME_HEIGHT + WORDS_HEIGHT / 2
        near, far = f"near {shown.near:.3g}", f"{shown.far:.3g} far"
        left = text_width(near, CLASS) + 6
        self.canvas.text(0, y, near, CLASS)
        shares = torch.linspace(0, 1, 256)
        pixels: Pixels = np.asarray(depth_colours(shares[None]).numpy(), np.float32)
        self.canvas.box(PALE, left, y - SWATCH / 2, SCALE_WIDTH, SWATCH)
        self.canvas.picture(pixels, left, y - SWATCH / 2, SCALE_WIDTH, SWATCH)
        note = f"{far}, as logarithms" if shown.logarithmic else far
        self.canvas.text(left + SCALE_WIDTH + 6, y, note, CLASS)
        return y + WORDS_HEIGHT / 2

    def figure(self) -> Figure:
        return self.canvas.figure(margin=14)

    def draw_name(self, name: str, left: float, top: float, suffix: str = "") -> None:
        """A task's name in its colour."""
        style = TextStyle(NAME_SIZE, self._colours.get(name, GREY))
        text = shortened(name + suffix, style, self.width if suffix else max(self.width, WORDS_ROOM))
        self.canvas.text(left, top + NAME_HEIGHT / 2 - 1, text, style)

    def _draw_picture(self, name: str, suffix: str, picture: Pixels | None, left: float, top: float) -> None:
        self.draw_name(name, left, top, suffix)
        top += NAME_HEIGHT
        right, bottom = left + self.width, top + self.height
        self.canvas.box(PALE, left, top, self.width, self.height)
        if picture is None:
            self.canvas.text((left + right) / 2, (top + bottom) / 2, "no label", MISSING, "center")
        else:
            self.canvas.picture(picture, left, top, self.width, self.height)
