"""Turns inputs and labels into words and pictures."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nas.report.palette import CLASSES, channels
from nas.tasks import Task
from nas.tasks.checks import accepted_by_loss
from nas.tasks.ignore import IGNORED_CLASS, known_classes, known_values
from nas.tasks.labels import NUMBERS, YES_OR_NO

Pixels = npt.NDArray[np.float32]
"""A picture [H, W, 3], with values in [0, 1]."""

CHECKS = ("#FFFFFF", "#CFCFCF")
"""Greys of the chequered pattern for pixels whose label has no value."""
CHECKS_PER_SIDE = 24
BACKGROUND = "#DCDCDC"
CLIPPED_SHARE = 0.002
"""Share of the values that a picture may lose at each end of its range, so that outliers do not grey the rest."""


def words(task: Task, label: Tensor) -> str:
    """The text for a label that is not a map: the class, yes or no, the names of its attributes, or its numbers."""
    if label.ndim == 0 and not label.is_floating_point() and task.num_outputs > 1:
        return class_name(task, int(label)) if known_classes(label, task.num_outputs) else "no value"
    accepted = accepted_by_loss(task)
    are_numbers = accepted == NUMBERS
    numbers = label.flatten().float() if are_numbers else _numbers(label.flatten())
    known = known_values(numbers)
    if not known.any():
        return "no value"
    is_decision = not label.is_floating_point() or (
        accepted == YES_OR_NO and bool(((numbers == 0) | (numbers == 1)).all())
    )
    if task.num_outputs == 1 and is_decision:
        return "yes" if numbers > 0 else "no"
    if task.labels and not are_numbers and ((numbers == 0) | (numbers == 1) | ~known).all():
        return ", ".join(name for name, number in zip(task.labels, numbers, strict=True) if number == 1) or "none"
    return "  ".join(f"{number:.3g}".replace("-", "\N{MINUS SIGN}") for number in numbers[known].tolist())


def class_name(task: Task, index: int) -> str:
    return task.labels[index] if task.labels and index < len(task.labels) else str(index)


def is_class_map(label: Tensor) -> bool:
    """Whether a label is one class per pixel, [H, W]."""
    return label.ndim == 2 and not label.is_floating_point()


def class_colours(task: Task) -> list[str]:
    """One colour per class, never that of a task; they repeat after 40. A class called "background" is grey, so that
    the others stand out."""
    names = task.labels or [""] * task.num_outputs
    return [BACKGROUND if name == "background" else CLASSES[i % len(CLASSES)] for i, name in enumerate(names)]


def class_pixels(task: Task, label: Tensor) -> Pixels:
    """A map of classes [H, W] in one colour per class."""
    colours = torch.tensor([channels(colour) for colour in class_colours(task)])
    known = known_classes(label, task.num_outputs)
    return chequered(colours[label.long().clamp(0, task.num_outputs - 1)], known)


def map_pixels(labels: Sequence[Tensor]) -> list[Pixels]:
    """Maps of numbers [H, W] or [channels, H, W] as pictures in one range (see `image_pixels`).

    Maps of one channel with values from 0 to above 1, such as depths, are shown as log(1 + value). Otherwise a room
    would be black beside a street.
    """
    maps = [_numbers(label if label.ndim == 3 else label[None]) for label in labels]
    known = torch.cat([numbers[known_values(numbers)] for numbers in maps])
    if maps[0].shape[0] != 3 and len(known) and known.min() >= 0 and known.max() > 1:
        maps = [numbers.log1p() for numbers in maps]
    return image_pixels(maps)


def image_pixels(images: Sequence[Tensor]) -> list[Pixels]:
    """Images [channels, H, W] in one range: three channels as colours, the mean of any other number of them as grey.

    The range is that of all of them together; colours with negative values (directions) get one symmetric about 0.
    """
    images = [image.float() for image in images]
    values = torch.cat([image[known_values(image)] for image in images]).sort().values
    clipped = int(CLIPPED_SHARE * len(values))
    low, high = (values[clipped].item(), values[-1 - clipped].item()) if len(values) else (0.0, 1.0)
    if low < 0 and images[0].shape[0] == 3:
        low, high = -max(-low, high), max(-low, high)
    pictures = []
    for image in images:
        colours = image if image.shape[0] == 3 else image.mean(0, keepdim=True).expand(3, -1, -1)
        scaled = (colours - low) / (high - low) if high > low else torch.zeros_like(colours)
        pictures.append(chequered(scaled.clamp(0, 1).movedim(0, -1), known_values(image).all(0)))
    return pictures


def _numbers(label: Tensor) -> Tensor:
    """The label as floats, NaN where a label of zeros and ones marks that it has no value."""
    numbers = label.float()
    ignored = (numbers == -1) | (numbers == IGNORED_CLASS)
    binary = bool((ignored | (numbers == 0) | (numbers == 1)).all())
    return numbers.masked_fill(ignored, torch.nan) if binary else numbers


def chequered(colours_HW3: Tensor, known_HW: Tensor) -> Pixels:
    """Colours [H, W, 3] as a picture, with a chequered pattern where nothing is known."""
    height, width = known_HW.shape
    side = max(1, min(height, width) // CHECKS_PER_SIDE)
    checks_HW = (torch.arange(height)[:, None] // side + torch.arange(width) // side) % 2
    ground_HW3 = torch.tensor([channels(colour) for colour in CHECKS])[checks_HW]
    pixels: Pixels = torch.where(known_HW[..., None], colours_HW3, ground_HW3).numpy()
    return pixels
