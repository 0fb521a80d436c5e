"""The colours of the tasks in both themes, as the pictures of `nas.report` have them."""

from nas.report.palette import contrast_on_white, faded, task_colours, text_colour

_DARK = "#16181C"
"""The page's background in the dark theme."""
_FILL, _TEXT = 2.0, 4.5
"""Least contrast of surfaces and of text on the dark background."""


def theme_colours(num_tasks: int) -> list[tuple[str, str, str, str]]:
    """By task: the colours of surfaces and of text in the light theme, then in the dark one."""
    return [
        (colour, text_colour(colour), _lightened(colour, _FILL), _lightened(colour, _TEXT))
        for colour in task_colours(num_tasks)
    ]


def _lightened(colour: str, contrast: float) -> str:
    """The colour, mixed with white until it has this contrast on the dark background."""
    strength = 1.0
    lightened = colour
    while contrast_on_white(_DARK) / contrast_on_white(lightened) < contrast:
        strength -= 0.05
        lightened = faded(colour, strength)
    return lightened
