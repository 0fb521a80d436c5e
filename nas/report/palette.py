"""Colours of tasks and of classes: a task has the same colour in every picture of a run, and no class has it."""

from collections.abc import Iterable, Sequence

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#404040")
"""Eight hues that stay apart with every kind of colour blindness (Okabe and Ito, Color Universal Design, 2008), black
lightened to a dark grey, ordered so that neighbours contrast."""

_MORE_TASKS = """
    9C246C FCCCE4 00F0C0 006C00 30309C 845400 84C048 780000 8478E4 E49CFC B4C0A8 846C84 601860 908400 7848B4 FC9C9C
    90E4FC 004800 3C6C60 909C84 A82418 CC486C 30C0A8 FCCC90 6C486C 5490B4 005484 9CE46C A89CD8 A854A8 D8846C B4C0FC
"""
TASKS = (*OKABE_ITO, *(f"#{digits}" for digits in _MORE_TASKS.split()))
"""Each colour after the eight hues is the one farthest from all before it, in OKLab: no two are closer than 0.09."""

_CLASSES = """
    84CC78 903C78 A8D8F0 786000 CCA8FC 842400 483C90 CCB4A8 60FCE4 00600C 8478CC 908478 6C0C48 909C24 60606C A8483C
    F0846C FCD8FC F0D8A8 007860 00D8CC FC9CC0 249CB4 003C6C 608418 60B49C A86084 9C9CB4 6C54A8 A87800 B49C6C B4FCA8
    909CFC 6C3C54 004824 CCC06C 544800 006078 FCA878 CCF0E4
"""
CLASSES = tuple(f"#{digits}" for digits in _CLASSES.split())
"""The same for classes of pixels, apart from the colours of tasks, and softer, since they fill large areas."""

LINES = ((), (5.0, 1.6), (1.2, 1.2), (5.0, 1.2, 1.2, 1.2))
"""Lengths of dashes and gaps, in widths of the line: tasks beyond the colours have the same ones with other lines."""

GAIN, LOSS = OKABE_ITO[0], OKABE_ITO[5]
"""Blue and vermilion, the two ends of a diverging scale."""

TEXT_CONTRAST = 4.5
"""Least contrast of text with what is behind it (WCAG 2.1, success criterion 1.4.3)."""
FILL_CONTRAST = 1.3
"""Least contrast of a surface with what is behind it: that of the palest hue on white."""


def task_colours(num_tasks: int) -> tuple[str, ...]:
    """Colours ``#rrggbb`` by position of the task; they repeat after 40, with another line (`task_line`)."""
    return tuple(TASKS[i % len(TASKS)] for i in range(num_tasks))


def task_line(position: int) -> tuple[float, ...]:
    """The dashes of a task's line: none for the first 40 tasks, then one pattern for each 40."""
    return LINES[position // len(TASKS) % len(LINES)]


def colours_of(tasks: Sequence[str], among: Iterable[str] = ()) -> dict[str, str]:
    """The colours of tasks by name: by their positions ``among`` all tasks of a run or, without these, in ``tasks``."""
    return {task: TASKS[i % len(TASKS)] for task, i in positions_of(tasks, among).items()}


def positions_of(tasks: Sequence[str], among: Iterable[str] = ()) -> dict[str, int]:
    """The positions of tasks by name, ``among`` all tasks of a run if these contain them, else in ``tasks``."""
    position = {task: i for i, task in enumerate(among)}
    return {task: position[task] if set(tasks) <= set(position) else i for i, task in enumerate(tasks)}


def contrast(a: str, b: str) -> float:
    """``(Y1 + 0.05) / (Y2 + 0.05)`` of the lighter and the darker colour: from 1 to 21 (WCAG 2.1)."""
    dark, light = sorted((_luminance(a), _luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def channels(colour: str) -> list[float]:
    """Red, green and blue in [0, 1] of a colour ``#rrggbb``."""
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def mixed(colour: str, other: str, share: float) -> str:
    """A colour with a share in [0, 1] of another one."""
    pairs = zip(channels(colour), channels(other), strict=True)
    return "#" + "".join(f"{round(255 * (a + share * (b - a))):02X}" for a, b in pairs)


def _luminance(colour: str) -> float:
    """The relative luminance Y of sRGB."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
