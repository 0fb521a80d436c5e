"""What scenes are built of: a primitive with its pose, size and material, and objects made of several.

Lengths are metres. An object's own frame has x forward, y to its left and z up, with the ground at z = 0.
"""

import colorsys
import math
import random
from collections.abc import Sequence
from typing import Literal, NamedTuple

Vector = tuple[float, float, float]
Colour = tuple[float, float, float]
"""Linear red, green and blue in [0, 1]."""

Kind = Literal["plane", "sphere", "box", "cylinder", "cone", "capsule"]
KINDS: tuple[Kind, ...] = ("plane", "sphere", "box", "cylinder", "cone", "capsule")
Pattern = Literal["plain", "checker", "stripes", "bricks", "patches"]
PATTERNS: tuple[Pattern, ...] = ("plain", "checker", "stripes", "bricks", "patches")

UP: Vector = (0.0, 0.0, 1.0)
THIN = 5e-5
"""Metres, half the height of what lies flat on the ground: its sides are too low to be seen."""


class Material(NamedTuple):
    """Two colours mixed by a pattern with the given period in metres; `grain` is the contrast of the surface's noise,
    `emission` how much it shines by itself, `gloss` the strength of its highlight."""

    colour: Colour
    second: Colour = (0.0, 0.0, 0.0)
    pattern: Pattern = "plain"
    period: float = 1.0
    grain: float = 0.3
    emission: float = 0.0
    gloss: float = 0.0


class Solid(NamedTuple):
    """A convex primitive: the unit solid of its kind, scaled by `size` (half extents), its z axis turned to `axis`.

    `shape` is the cone's top radius over its base radius, and the capsule's half length without caps over its radius.
    """

    kind: Kind
    centre: Vector
    size: Vector
    material: Material
    part: str = "background"
    axis: Vector = UP
    shape: float = 0.0


class Thing(NamedTuple):
    """An object in its own frame: a semantic class, its solids, and the radius of the disc of ground it takes."""

    semantic: str
    solids: Sequence[Solid]
    radius: float


class Placed(NamedTuple):
    """A thing at a place of the world, turned by `yaw` radians about the vertical."""

    thing: Thing
    position: Vector
    yaw: float = 0.0


def ball(centre: Vector, radius: float, material: Material, part: str = "background") -> Solid:
    return Solid("sphere", centre, (radius, radius, radius), material, part)


def ellipsoid(centre: Vector, size: Vector, material: Material, part: str = "background") -> Solid:
    return Solid("sphere", centre, size, material, part)


def box(centre: Vector, size: Vector, material: Material, part: str = "background", axis: Vector = UP) -> Solid:
    return Solid("box", centre, size, material, part, axis)


def rod(start: Vector, end: Vector, radius: float, material: Material, part: str = "background") -> Solid:
    """A cylinder from one point to another."""
    centre, half, axis = _between(start, end)
    return Solid("cylinder", centre, (radius, radius, half), material, part, axis)


def limb(start: Vector, end: Vector, radius: float, material: Material, part: str = "background") -> Solid:
    """A capsule whose caps are centred at the two points."""
    centre, half, axis = _between(start, end)
    return Solid("capsule", centre, (radius, radius, radius), material, part, axis, half / radius)


def frustum(
    start: Vector, end: Vector, radii: tuple[float, float], material: Material, part: str = "background"
) -> Solid:
    """A cone from one point, where it is wider, to another, cut where its radius is the second one."""
    centre, half, axis = _between(start, end)
    return Solid("cone", centre, (radii[0], radii[0], half), material, part, axis, radii[1] / radii[0])


def _between(start: Vector, end: Vector) -> tuple[Vector, float, Vector]:
    centre = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, (start[2] + end[2]) / 2)
    half = math.dist(start, end) / 2
    axis = ((end[0] - start[0]) / (2 * half), (end[1] - start[1]) / (2 * half), (end[2] - start[2]) / (2 * half))
    return centre, half, axis


def hue(rng: random.Random, saturation: float = 0.6, value: float = 0.6) -> Colour:
    """A colour of random hue, with saturation and value near the given ones."""
    return colorsys.hsv_to_rgb(rng.random(), saturation * rng.uniform(0.7, 1.3), value * rng.uniform(0.7, 1.3))


def near(rng: random.Random, colour: Colour, spread: float = 0.15) -> Colour:
    """The colour, brighter or darker, each channel a little different."""
    factor = rng.uniform(1 - spread, 1 + spread)
    red, green, blue = (min(1.0, channel * factor * rng.uniform(0.94, 1.06)) for channel in colour)
    return red, green, blue
