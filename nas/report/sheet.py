"""A sheet of samples with their labels, to check the data before a long search."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from nas.data import Dataset, Sample
from nas.data.batch import signed
from nas.errors import InputError
from nas.report.canvas import Canvas, TextStyle, shortened, text_width
from nas.report.label_view import (
    Pixels,
    class_colours,
    class_name,
    class_pixels,
    image_pixels,
    is_class_map,
    map_pixels,
    words,
)
from nas.report.palette import colours_of, text_colour
from nas.tasks import Task
from nas.tasks.ignore import known_classes

INK, GREY, PALE = "#1A1A1A", "#6B6B6B", "#F2F2F2"
TITLE = TextStyle(10.5, INK, bold=True)
WORDS = TextStyle(9.5, INK)
MISSING = TextStyle(8.0, "#9A9A9A")
CLASS = TextStyle(8.0, INK)
NAME_SIZE = 7.0
SWATCH = 8.0

PICTURE_AREA = 110.0 * 66.0
"""Area of a picture in square points; its aspect ratio is that of the input."""
SHEET_WIDTH = 640.0
"""Largest width in points of a row with more than one sample."""
WORDS_ROOM = 110.0
"""Largest width in points of the words of one label."""
NAME_HEIGHT, WORDS_HEIGHT, LINE_GAP = 10.5, 11.5, 6.0
GAP, CELL_GAP, SAMPLE_GAP = 5.0, 14.0, 26.0
MOST_LINES = 4
"""Number of lines of words under a sample from which on the sample may be wider than its pictures."""


class _Column(NamedTuple):
    """Pictures under one name, one per sample; None where the sample has no such label."""

    name: str
    pictures: Sequence[Pixels | None]


class _Cell(NamedTuple):
    """A task's labels in words, one per sample, and the width of the widest."""

    name: str
    words: Sequence[str | None]
    width: float


def sample_sheet(dataset: Dataset, tasks: Sequence[Task], num_samples: int = 8, *, title: str | None = None) -> Figure:
    """Samples from all over a data set: the input, dense labels as pictures beside it, the others in words below.

    Classes have names if the task names them. A missing label is an empty frame or a dash; pixels without annotation
    are chequered. The pictures of a task share one range of values (depths are shown as logarithms), and the task's
    name has the same colour as in other pictures.

    Args:
        dataset: its inputs are images, [channels, H, W].
        tasks: whose labels to show, in this order.
        num_samples: how many samples, evenly spaced over the data set; all of them if there are fewer.
        title: a heading.

    Raises:
        InputError: there are no samples to draw, or inputs are not images; matplotlib is missing.
    """
    samples = _choose(dataset, num_samples)
    dense = [t for t in tasks if any(labels[t.name].ndim >= 2 for _, labels in samples if t.name in labels)]
    columns = [_Column("input", image_pixels([image for image, _ in samples])), *(_column(t, samples) for t in dense)]
    cells = [_cell(task, samples) for task in tasks if task not in dense]
    colours = {name: text_colour(colour) for name, colour in colours_of([task.name for task in tasks]).items()}

    height, width = samples[0][0].shape[1:]
    scale = math.sqrt(PICTURE_AREA / (height * width))
    page = _Page(width * scale, height * scale, colours)
    room = max(len(columns) * (page.width + GAP) - GAP, sum(cell.width + CELL_GAP for cell in cells) / MOST_LINES)
    lines = _lines(cells, room)
    per_row = max(1, int((SHEET_WIDTH + SAMPLE_GAP) / (room + SAMPLE_GAP)))
    if title:
        page.canvas.text(0, -1.6 * NAME_HEIGHT, title, TITLE)
    top = bottom = 0.0
    for i in range(len(samples)):
        if i % per_row == 0 and i > 0:
            top = bottom + SAMPLE_GAP
        bottom = page.draw_sample(i, columns, lines, (i % per_row) * (room + SAMPLE_GAP), top)
    for task in dense:
        if classes := _classes_shown(task, samples):
            bottom = page.draw_legend(task, classes, bottom + CELL_GAP)
    return page.figure()


class _Page:
    """Samples and legends on a canvas."""

    def __init__(self, width: float, height: float, colours: Mapping[str, str]) -> None:
        self.canvas = Canvas()
        self.width, self.height = width, height
        self._colours = colours

    def draw_sample(
        self, i: int, columns: Sequence[_Column], lines: Sequence[Sequence[_Cell]], left: float, top: float
    ) -> float:
        """Draw sample i with its upper left corner at (left, top), and return the y where it ends."""
        for n, column in enumerate(columns):
            self._draw_picture(column.name, column.pictures[i], left + n * (self.width + GAP), top)
        y = top + NAME_HEIGHT + self.height + LINE_GAP
        for line in lines:
            x = left
            for cell in line:
                self._draw_name(cell.name, x, y)
                text, style = (cell.words[i] or "\N{EN DASH}"), WORDS if cell.words[i] else MISSING
                self.canvas.text(x, y + NAME_HEIGHT + WORDS_HEIGHT / 2, shortened(text, style, WORDS_ROOM), style)
                x += cell.width + CELL_GAP
            y += NAME_HEIGHT + WORDS_HEIGHT + LINE_GAP
        return y - LINE_GAP

    def draw_legend(self, task: Task, classes: Sequence[int], top: float) -> float:
        """Name the classes of a task's maps by their colours, and return the y where that ends."""
        palette = class_colours(task)
        right = self.canvas.right
        self._draw_name(task.name, 0, top)
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

    def figure(self) -> Figure:
        return self.canvas.figure(margin=14)

    def _draw_picture(self, name: str, picture: Pixels | None, left: float, top: float) -> None:
        self._draw_name(name, left, top)
        top += NAME_HEIGHT
        right, bottom = left + self.width, top + self.height
        self.canvas.box(PALE, left, top, self.width, self.height)
        if picture is None:
            self.canvas.text((left + right) / 2, (top + bottom) / 2, "no label", MISSING, "center")
        else:
            self.canvas.picture(picture, left, top, self.width, self.height)

    def _draw_name(self, name: str, left: float, top: float) -> None:
        style = TextStyle(NAME_SIZE, self._colours.get(name, GREY))
        self.canvas.text(left, top + NAME_HEIGHT / 2 - 1, shortened(name, style, max(self.width, WORDS_ROOM)), style)


def _choose(dataset: Dataset, num_samples: int) -> list[Sample]:
    if num_samples < 1 or len(dataset) == 0:
        raise InputError(f"a sheet needs a sample; found num_samples {num_samples} of a data set of {len(dataset)}")
    num_samples = min(num_samples, len(dataset))
    drawn = [dataset[i * len(dataset) // num_samples] for i in range(num_samples)]
    samples: list[Sample] = [
        (image, {task: signed(label) for task, label in labels.items()}) for image, labels in drawn
    ]
    shape = list(samples[0][0].shape)
    if len(shape) != 3:
        raise InputError(f"a sheet draws inputs that are images, [channels, H, W]; found an input of shape {shape}")
    return samples


def _column(task: Task, samples: Sequence[Sample]) -> _Column:
    present = [labels[task.name] for _, labels in samples if task.name in labels]
    pictures = [class_pixels(task, x) for x in present] if is_class_map(present[0]) else map_pixels(present)
    remaining = iter(pictures)
    return _Column(task.name, [next(remaining) if task.name in labels else None for _, labels in samples])


def _cell(task: Task, samples: Sequence[Sample]) -> _Cell:
    texts = [words(task, labels[task.name]) if task.name in labels else None for _, labels in samples]
    widths = [text_width(shortened(text, WORDS, WORDS_ROOM), WORDS) for text in texts if text]
    name_width = min(text_width(task.name, TextStyle(NAME_SIZE, GREY)), WORDS_ROOM)
    return _Cell(task.name, texts, max([name_width, *widths]))


def _lines(cells: Sequence[_Cell], room: float) -> list[list[_Cell]]:
    """The cells in their order, in lines of at most ``room`` points."""
    lines: list[list[_Cell]] = []
    used = 0.0
    for cell in cells:
        if not lines or used + cell.width > room:
            lines.append([])
            used = 0.0
        lines[-1].append(cell)
        used += cell.width + CELL_GAP
    return lines


def _classes_shown(task: Task, samples: Sequence[Sample]) -> list[int]:
    """The classes in a task's maps, ascending; none if its labels are not maps of classes."""
    maps = [labels[task.name] for _, labels in samples if task.name in labels]
    shown = [np.unique(x[known_classes(x, task.num_outputs)].numpy()) for x in maps if is_class_map(x)]
    return sorted({int(index) for indices in shown for index in indices if index < task.num_outputs})
