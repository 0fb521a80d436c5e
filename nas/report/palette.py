"""Colours of tasks: a task has the same colour in every picture of a run."""

from collections.abc import Sequence

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#404040")
"""Eight hues that stay apart with every kind of colour blindness (Okabe and Ito, Color Universal Design, 2008), black
lightened to a dark grey, ordered so that neighbours contrast."""

GAIN, LOSS = OKABE_ITO[0], OKABE_ITO[5]
"""Blue and vermilion, the two ends of a diverging scale."""

# After each round through the hues: how far to mix towards white (> 0) or black (< 0).
LIGHTNESS = (0.0, 0.5, -0.35, 0.72, -0.6)

TEXT_CONTRAST = 4.5
"""Least contrast of text on white (WCAG 2.1, success criterion 1.4.3)."""
FILL_CONTRAST = 1.3
"""Least contrast of a surface on white: that of the palest hue."""


def task_colours(num_tasks: int) -> tuple[str, ...]:
    """Colours ``#rrggbb`` by position of the task: 8 hues, then lighter and darker versions; they repeat after 40."""
    colours = []
    for i in range(num_tasks):
        level, hue = divmod(i, len(OKABE_ITO))
        colours.append(_darkened(_mix(OKABE_ITO[hue], LIGHTNESS[level % len(LIGHTNESS)]), FILL_CONTRAST))
    return tuple(colours)


def colours_of(tasks: Sequence[str]) -> dict[str, str]:
    """`task_colours` by the names of the tasks."""
    return dict(zip(tasks, task_colours(len(tasks)), strict=True))


def text_colour(colour: str) -> str:
    """The colour, darkened until text in it can be read on white."""
    return _darkened(colour, TEXT_CONTRAST)


def contrast_on_white(colour: str) -> float:
    """``1.05 / (Y + 0.05)`` with the relative luminance Y of sRGB: 1 for white, 21 for black (WCAG 2.1)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def channels(colour: str) -> list[float]:
    """Red, green and blue in [0, 1] of a colour ``#rrggbb``."""
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def _darkened(colour: str, contrast: float) -> str:
    while contrast_on_white(colour) < contrast:
        colour = _mix(colour, -0.05)
    return colour


def _mix(colour: str, towards: float) -> str:
    """Towards white by the share ``towards``, or towards black by ``-towards``."""
    target = 1.0 if towards > 0 else 0.0
    mixed = [c + abs(towards) * (target - c) for c in channels(colour)]
    return "#" + "".join(f"{round(255 * c):02X}" for c in mixed)


def faded(colour: str, strength: float) -> str:
    """The colour at a strength of 1, white at 0."""
    return _mix(colour, 1.0 - strength)
