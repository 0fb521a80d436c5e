"""A sheet of samples with their labels, to check the data before a long search, or with predictions below them."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from nas.data import Dataset, Sample
from nas.data.batch import signed
from nas.deploy.output_kind import output_kind
from nas.errors import InputError
from nas.report.canvas import TextStyle, shortened, text_width
from nas.report.depth import DepthRange, depth_pixels, depth_range
from nas.report.label_view import (
    Pixels,
    class_pixels,
    image_pixels,
    is_class_map,
    map_pixels,
    words,
)
from nas.report.overlay import can_overlay, overlay
from nas.report.palette import colours_of
from nas.report.sheet_page import (
    CELL_GAP,
    GAP,
    NAME_HEIGHT,
    NAME_SIZE,
    PREDICTED,
    WORDS,
    WORDS_ROOM,
    Cell,
    Column,
    SheetPage,
)
from nas.report.theme import GREY, INK, THEMES, ThemeName
from nas.tasks import Task
from nas.tasks.ignore import known_classes, known_depths

TITLE = TextStyle(10.5, INK, bold=True)
PICTURE_AREA = 110.0 * 66.0
"""Area of a picture in square points; its aspect ratio is that of the input."""
SHEET_WIDTH = 640.0
"""Largest width in points of a row with more than one sample."""
SAMPLE_GAP = 26.0
MOST_LINES = 4
"""Number of lines of words under a sample from which on the sample may be wider than its pictures."""

Predict = Callable[[Tensor], Mapping[str, Tensor]]
"""From inputs [B, channels, H, W] to predictions by task (`nas.deploy.answers`)."""


def sample_sheet(
    dataset: Dataset,
    tasks: Sequence[Task],
    num_samples: int = 8,
    *,
    predict: Predict | None = None,
    title: str | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Samples from all over a data set: the input, dense labels as pictures beside it, the others in words below.

    Classes have names if the task names them. A missing label is an empty frame or a dash; pixels without annotation
    are chequered. The pictures of a task share one range of values, and the task's name has the same colour as in other
    pictures. With ``predict``, predictions are below the labels, and below the input the first map of classes or mask
    lies over the input in grey.

    Args:
        dataset: its inputs are images, [channels, H, W].
        tasks: whose labels to show, in this order.
        num_samples: how many samples, evenly spaced over the data set; all of them if there are fewer.
        predict: what predicts the tasks.
        title: a heading.
        theme: "light" or "dark".

    Raises:
        InputError: there are no samples to draw, or inputs are not images; matplotlib is missing.
    """
    samples = _choose(dataset, num_samples)
    images = image_pixels([image for image, _ in samples])
    labels = {task.name: [_known(task, found.get(task.name)) for _, found in samples] for task in tasks}
    predicted: dict[str, list[Tensor | None]] = {}
    for image, _ in samples if predict else ():
        for name, answer in predict(image[None]).items() if predict else ():
            predicted.setdefault(name, []).append(answer[0])
    shown = {task.name: [*labels[task.name], *predicted.get(task.name, ())] for task in tasks}
    dense = [task for task in tasks if any(x is not None and x.ndim >= 2 for x in shown[task.name])]
    count = len(samples)
    scales = {task.name: depth_range(_present(labels[task.name])) for task in dense if output_kind(task) == "depth"}
    pictures = {task.name: _pictures(task, shown[task.name], scales.get(task.name)) for task in dense}
    columns = [Column("input", images), *(Column(name, found[:count]) for name, found in pictures.items())]
    others = [task for task in tasks if task not in dense]
    cells = [_cell(task, labels[task.name], predicted.get(task.name, ())) for task in others]

    height, width = samples[0][0].shape[1:]
    scale = math.sqrt(PICTURE_AREA / (height * width))
    colours = colours_of([task.name for task in tasks])
    page = SheetPage(width * scale, height * scale, colours, THEMES[theme])
    room = max(len(columns) * (page.width + GAP) - GAP, sum(cell.width + CELL_GAP for cell in cells) / MOST_LINES)
    lines = _lines(cells, room)
    below: list[Column | None] = [Column(name, found[count:]) for name, found in pictures.items() if name in predicted]
    if below:
        below.insert(0, _overlay(dense, predicted, images, colours))
    per_row = max(1, int((SHEET_WIDTH + SAMPLE_GAP) / (room + SAMPLE_GAP)))
    if title:
        page.canvas.text(0, -1.6 * NAME_HEIGHT, title, TITLE)
    top = bottom = 0.0
    for i in range(count):
        if i % per_row == 0 and i > 0:
            top = bottom + SAMPLE_GAP
        left = (i % per_row) * (room + SAMPLE_GAP)
        bottom = page.draw_pictures(i, columns, left, top)
        if below:
            bottom = page.draw_pictures(i, below, left, bottom, ", predicted")
        bottom = page.draw_words(i, lines, left, bottom)
    for task in dense:
        if task.name in scales:
            bottom = page.draw_depth_scale(task, scales[task.name], bottom + CELL_GAP)
        elif classes := _classes_shown(task, _present(shown[task.name])):
            bottom = page.draw_legend(task, classes, bottom + CELL_GAP)
    return page.figure()


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


def _known(task: Task, label: Tensor | None) -> Tensor | None:
    """The label, with NaN where a depth is not known."""
    if label is None or output_kind(task) != "depth":
        return label
    return label.float().masked_fill(~known_depths(label), math.nan)


def _present(labels: Sequence[Tensor | None]) -> list[Tensor]:
    return [label for label in labels if label is not None]


def _pictures(task: Task, maps: Sequence[Tensor | None], scale: DepthRange | None) -> list[Pixels | None]:
    """The maps as pictures in one range of values; None where there is none."""
    present = _present(maps)
    if all(map(is_class_map, present)):
        drawn = [class_pixels(task, label) for label in present]
    else:
        drawn = map_pixels(present) if scale is None else depth_pixels(present, scale)
    remaining = iter(drawn)
    return [None if label is None else next(remaining) for label in maps]


def _overlay(
    dense: Sequence[Task],
    predicted: Mapping[str, Sequence[Tensor | None]],
    images: Sequence[Pixels],
    colours: Mapping[str, str],
) -> Column | None:
    """The first map of classes or mask over the inputs, if there is one."""
    for task in dense:
        kind, answers = output_kind(task), _present(predicted.get(task.name, ()))
        if answers and can_overlay(kind, answers[0]):
            pairs = zip(images, answers, strict=True)
            return Column(
                task.name, [overlay(image, kind, task, answer, colours[task.name]) for image, answer in pairs]
            )
    return None


def _cell(task: Task, labels: Sequence[Tensor | None], answers: Sequence[Tensor | None]) -> Cell:
    texts = [None if label is None else words(task, label) for label in labels]
    predicted = [f"predicted {words(task, _likeliest(task, answer))}" for answer in _present(answers)]
    widths = [text_width(shortened(text, WORDS, WORDS_ROOM), WORDS) for text in texts if text]
    widths += [text_width(shortened(text, PREDICTED, WORDS_ROOM), PREDICTED) for text in predicted]
    name_width = min(text_width(task.name, TextStyle(NAME_SIZE, GREY)), WORDS_ROOM)
    return Cell(task.name, texts, predicted, max([name_width, *widths]))


def _likeliest(task: Task, answer: Tensor) -> Tensor:
    """The likeliest class of probabilities; other predictions as they are."""
    return answer.argmax() if output_kind(task) == "classes" else answer


def _lines(cells: Sequence[Cell], room: float) -> list[list[Cell]]:
    """The cells in their order, in lines of at most ``room`` points."""
    lines: list[list[Cell]] = []
    used = 0.0
    for cell in cells:
        if not lines or used + cell.width > room:
            lines.append([])
            used = 0.0
        lines[-1].append(cell)
        used += cell.width + CELL_GAP
    return lines


def _classes_shown(task: Task, labels: Sequence[Tensor]) -> list[int]:
    """The classes in a task's maps, ascending; none if its labels are not maps of classes."""
    shown = [np.unique(x[known_classes(x, task.num_outputs)].numpy()) for x in labels if is_class_map(x)]
    return sorted({int(index) for indices in shown for index in indices if index < task.num_outputs})
