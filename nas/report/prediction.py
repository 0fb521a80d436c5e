"""The predictions of a network for one picture: each task's prediction as a picture, or as words with bars."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from nas.deploy import TaskRecord, is_map
from nas.report.canvas import Canvas, TextStyle, shortened, text_width
from nas.report.depth import CLIPPED, depth_colours
from nas.report.label_view import Pixels, class_colours, class_name, class_pixels, image_pixels
from nas.report.overlay import can_overlay, overlay
from nas.report.palette import TASKS
from nas.report.theme import GREY, INK, LIGHT, PALE

WORDS = TextStyle(8.5, INK)
SMALL = TextStyle(7.0, GREY)
NAME_SIZE = 8.0

PICTURE_AREA = 150.0 * 150.0
"""Area of a picture in square points; its aspect ratio is that of the input."""
PER_ROW = 4
GAP, ROW_GAP = 9.0, 16.0
NAME_HEIGHT, LINE_HEIGHT, BAR_HEIGHT = 12.0, 12.5, 6.0
SWATCH = 8.0
MOST_CLASSES, MOST_LINES = 3, 12
"""Most lines of a prediction in words: the most likely classes of an image, or other numbers."""
BAR_WIDTH = 90.0
WORDS_ROOM, NUMBER_ROOM = 110.0, 36.0
WORDS_WIDTH = 470.0
"""Least width in points for predictions in words, side by side, even if the pictures above are narrower."""
SCALES = {"binary": "probability", "depth": "near to far", "values": "value"}
DIRECTIONS = "x red, y green, z blue"


def answer_pixels(task: TaskRecord, answer: Tensor) -> Pixels:
    """An answer [H, W] or [channels, H, W] as a picture [H, W, 3].

    classes     one colour per class, as in sheets of samples
    binary      the probability, black to white; of several outputs the largest
    directions  x, y, z as red, green, blue, -1 to 1
    depth       near is bright yellow, far is dark blue (`answer_range`)
    values      one channel as grey in `answer_range`, three as colours
    """
    if task.kind == "classes":
        return class_pixels(task.task(), answer)
    if task.kind == "binary":
        return _grey(answer.amax(0), 0.0, 1.0)
    if task.kind == "directions" and answer.shape[0] == 3:
        pixels: Pixels = ((answer + 1) / 2).nan_to_num(0.0).clamp(0, 1).movedim(0, -1).numpy()
        return pixels
    low, high = answer_range(answer)
    if task.kind == "depth":
        return _coloured(answer[0], low, high)
    if answer.shape[0] == 1:
        return _grey(answer[0], low, high)
    return image_pixels([answer])[0]


def answer_range(answer: Tensor) -> tuple[float, float]:
    """The values of depths or numbers that get the first and the last colour."""
    values = answer[answer.isfinite()].flatten().sort().values
    if not len(values):
        return 0.0, 1.0
    low, high = (values[round(share * (len(values) - 1))].item() for share in CLIPPED)
    return low, high


def draw_prediction(picture: Pixels | None, answers: Mapping[str, Tensor], tasks: Sequence[TaskRecord]) -> Figure:
    """One page: the input, each dense answer beside it with its scale or legend, the other answers in words.

    After the dense answers follows the first map of classes or mask once more, over the input.

    Args:
        picture: the input [H, W, 3], if it is one.
        answers: by task, without the batch (`nas.deploy.answers`).
        tasks: in the order in which they are drawn; a task's name has the colour that it has in other pictures.
    """
    places = {task.name: i if task.position is None else task.position for i, task in enumerate(tasks)}
    colours = {name: LIGHT.text(TASKS[place % len(TASKS)]) for name, place in places.items()}
    dense = [task for task in tasks if is_map(task.kind, answers[task.name])]
    size = picture.shape[:2] if picture is not None else answers[dense[0].name].shape[-2:] if dense else (1, 1)
    page = _Page(math.sqrt(PICTURE_AREA * size[1] / size[0]), math.sqrt(PICTURE_AREA * size[0] / size[1]))
    if picture is not None:
        page.draw_picture("input", GREY, picture)
    for task in dense:
        page.draw_picture(task.name, colours[task.name], answer_pixels(task, answers[task.name]))
        page.draw_scale(task, answers[task.name])
    over = next((task for task in dense if picture is not None and can_overlay(task.kind, answers[task.name])), None)
    if picture is not None and over is not None:
        laid = overlay(picture, over.kind, over.task(), answers[over.name], colours[over.name])
        page.draw_picture(f"{over.name} over the input", colours[over.name], laid)
    page.end_row()
    for task in dense:
        if task.kind == "classes":
            page.draw_legend(task, colours[task.name], answers[task.name])
    page.draw_words([task for task in tasks if task not in dense], colours, answers)
    return page.figure()


class _Page:
    """Pictures in rows from left to right, and words below them."""

    def __init__(self, width: float, height: float) -> None:
        self.canvas = Canvas()
        self.width, self.height = width, height
        self._count = 0
        self._top = 0.0
        self._has_scale = False

    @property
    def row_height(self) -> float:
        return NAME_HEIGHT + self.height + GAP + BAR_HEIGHT + LINE_HEIGHT

    def draw_picture(self, name: str, colour: str, picture: Pixels) -> None:
        if self._count and self._count % PER_ROW == 0:
            self._top += self.row_height
        left = (self._count % PER_ROW) * (self.width + GAP)
        self._count += 1
        self._name(name, colour, left, self._top, self.width)
        top = self._top + NAME_HEIGHT
        self.canvas.box(PALE, left, top, self.width, self.height)
        self.canvas.picture(picture, left, top, self.width, self.height)

    def draw_scale(self, task: TaskRecord, answer: Tensor) -> None:
        """Explain the colours of the last picture below it, if it needs no legend of classes."""
        if task.kind == "classes" or (task.kind == "values" and answer.shape[0] != 1):
            return
        self._has_scale = True
        left = ((self._count - 1) % PER_ROW) * (self.width + GAP)
        top = self._top + NAME_HEIGHT + self.height + 3
        if task.kind == "directions":
            self.canvas.text(left, top + BAR_HEIGHT / 2, shortened(DIRECTIONS, SMALL, self.width), SMALL)
            return
        low, high = (0.0, 1.0) if task.kind == "binary" else answer_range(answer)
        ramp = torch.linspace(0, 1, 256)[None]
        pixels = _coloured(ramp, 0.0, 1.0) if task.kind == "depth" else _grey(ramp, 0.0, 1.0)
        self.canvas.box(PALE, left, top, self.width, BAR_HEIGHT)
        self.canvas.picture(pixels, left, top, self.width, BAR_HEIGHT)
        middle = top + BAR_HEIGHT + LINE_HEIGHT / 2
        ends, unit = (_number(low), _number(high)), SCALES[task.kind]
        self.canvas.text(left, middle, ends[0], SMALL)
        self.canvas.text(left + self.width, middle, ends[1], SMALL, "right")
        if max(text_width(end, SMALL) for end in ends) + GAP <= (self.width - text_width(unit, SMALL)) / 2:
            self.canvas.text(left + self.width / 2, middle, unit, SMALL, "center")

    def end_row(self) -> None:
        if self._count:
            self._top += self.row_height + 2 - (0.0 if self._has_scale else BAR_HEIGHT + LINE_HEIGHT)

    def draw_legend(self, task: TaskRecord, colour: str, answer: Tensor) -> None:
        """The classes in a map, the largest first, with their share of it."""
        classes, counts = np.unique(answer.numpy(), return_counts=True)
        order = counts.argsort()[::-1]
        palette = class_colours(task.task())
        self._name(task.name, colour, 0.0, self._top, WORDS_ROOM)
        x, y = 0.0, self._top + NAME_HEIGHT
        for index, count in zip(classes[order].tolist(), counts[order].tolist(), strict=True):
            share = 100 * count / answer.numel()
            name = shortened(class_name(task.task(), index), WORDS, WORDS_ROOM)
            text = f"{name} {'<1' if share < 1 else round(share)} %"
            width = SWATCH + 4 + text_width(text, WORDS)
            if x > 0 and x + width > self._page_width():
                x, y = 0.0, y + LINE_HEIGHT
            self.canvas.box(palette[index], x, y + (LINE_HEIGHT - SWATCH) / 2, SWATCH, SWATCH)
            self.canvas.text(x + SWATCH + 4, y + LINE_HEIGHT / 2, text, WORDS)
            x += width + ROW_GAP
        self._top = y + LINE_HEIGHT + GAP

    def draw_words(
        self, tasks: Sequence[TaskRecord], colours: Mapping[str, str], answers: Mapping[str, Tensor]
    ) -> None:
        """Tasks in columns: the likeliest classes with their probabilities as bars, or the numbers."""
        lines = {task.name: _lines(task, answers[task.name].flatten()) for task in tasks}
        names = [shortened(name, WORDS, WORDS_ROOM) for some in lines.values() for name, _ in some]
        room = max((text_width(name, WORDS) + GAP for name in names if name), default=0.0)
        width = room + BAR_WIDTH + NUMBER_ROOM
        x, bottom = 0.0, self._top
        for task in tasks:
            has_bars = task.kind in ("classes", "binary")
            if x > 0 and x + width > max(self._page_width(), WORDS_WIDTH):
                x, self._top = 0.0, bottom
            self._name(task.name, colours[task.name], x, self._top, width)
            y = self._top + NAME_HEIGHT
            for name, number in lines[task.name]:
                middle, left = y + LINE_HEIGHT / 2, x + (room if name else 0.0)
                if name:
                    style = SMALL if number is None else WORDS
                    self.canvas.text(x, middle, shortened(name, style, WORDS_ROOM), style)
                y += LINE_HEIGHT
                if number is None:
                    continue
                if has_bars:
                    top = middle - BAR_HEIGHT / 2
                    self.canvas.box(PALE, left, top, BAR_WIDTH, BAR_HEIGHT)
                    self.canvas.box(
                        colours[task.name], left, top, BAR_WIDTH * (number if number > 0 else 0), BAR_HEIGHT
                    )
                    left += BAR_WIDTH + GAP
                self.canvas.text(left, middle, f"{100 * number:.0f} %" if has_bars else _number(number), WORDS)
            bottom = max(bottom, y + GAP)
            x += width + ROW_GAP
        self._top = bottom

    def figure(self) -> Figure:
        return self.canvas.figure(margin=14)

    def _page_width(self) -> float:
        return max(min(self._count, PER_ROW) * (self.width + GAP) - GAP, 2 * WORDS_ROOM)

    def _name(self, name: str, colour: str, left: float, top: float, room: float) -> None:
        style = TextStyle(NAME_SIZE, colour, bold=True)
        self.canvas.text(left, top + NAME_HEIGHT / 2 - 1, shortened(name, style, room), style)


def _lines(task: TaskRecord, numbers: Tensor) -> list[tuple[str, float | None]]:
    """The lines for a prediction that is not a map: names if there are any, and probabilities or numbers.

    If there are too many, the most likely (or the first) are shown, and the last line says how many are left out.
    """
    if task.kind == "binary" and len(numbers) == 1 and not task.labels:
        return [("yes", numbers.item())]
    shown, rest = list(range(len(numbers))), "more"
    if task.kind == "classes":
        shown = numbers.argsort(descending=True)[:MOST_CLASSES].tolist()
    elif task.kind == "binary" and len(numbers) > MOST_LINES:
        shown, rest = numbers.argsort(descending=True).tolist(), "less likely"
    has_names = task.labels is not None or task.kind != "values"
    lines: list[tuple[str, float | None]] = [
        (class_name(task.task(), i) if has_names else "", numbers[i].item()) for i in shown[:MOST_LINES]
    ]
    return lines if len(shown) <= MOST_LINES else [*lines, (f"and {len(shown) - MOST_LINES} {rest}", None)]


def _scaled(values_HW: Tensor, low: float, high: float) -> npt.NDArray[np.float32]:
    scaled = (values_HW - low) / (high - low) if high > low else torch.zeros_like(values_HW)
    array: npt.NDArray[np.float32] = scaled.clamp(0, 1).nan_to_num(0.0).numpy()
    return array


def _grey(values_HW: Tensor, low: float, high: float) -> Pixels:
    return np.repeat(_scaled(values_HW, low, high)[..., None], 3, axis=-1)


def _coloured(values_HW: Tensor, low: float, high: float) -> Pixels:
    pixels: Pixels = depth_colours(torch.from_numpy(_scaled(values_HW, low, high))).numpy()
    return pixels


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
