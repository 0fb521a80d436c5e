"""Positions of points, lines and ticks in a plot. Pure geometry: x to the right, y downwards, in pixels."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    """A tick of an axis, with a second line of text below or nothing."""

    at: float
    text: str
    below: str = ""


@dataclass(frozen=True)
class Scale:
    """A linear map from values in [low, high] to pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)


def scale(values: Iterable[float], start: float, end: float, margin: float = 0.08, least: float = 0.0) -> Scale:
    """A scale over all values with a margin on both sides, as a share of their range; at least ``least`` wide."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    width = max((high - low) * (1 + 2 * margin), least, 1e-9 * max(abs(low), abs(high)), 1e-12)
    middle = (low + high) / 2
    return Scale(middle - width / 2, middle + width / 2, start, end)


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` round values (1, 2 or 5 times a power of ten) from ``low`` to ``high``.

    >>> ticks(0.13, 0.61, 6)
    [0.2, 0.3, 0.4, 0.5, 0.6]
    """
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * digit for digit in (1, 2, 5, 10) if (high - low) / (power * digit) <= most)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, digits) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """A tick's text."""
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")


def steps(points: Sequence[tuple[float, float]], end: float) -> str:
    """The path that runs level from each point to the x of the next one, and to ``end`` after the last."""
    if not points:
        return ""
    path = [f"M{points[0][0]:g} {points[0][1]:g}"]
    path += [f"H{x:g}V{y:g}" for x, y in points[1:]]
    return "".join([*path, f"H{max(end, points[-1][0]):g}"])


def line(points: Sequence[tuple[float, float]]) -> str:
    """The path through points."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points) if points else ""
