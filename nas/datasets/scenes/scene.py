"""A scene as data: camera, light, the shell around it, and the things in it."""

import math
from typing import NamedTuple

from nas.datasets.scenes.solids import Colour, Material, Placed, Vector


class Camera(NamedTuple):
    """A pinhole camera that looks along `yaw` (from the world's x axis, radians), tilted by `pitch` (up positive).

    `half_width` is the tangent of half the horizontal field of view.
    """

    position: Vector
    yaw: float
    pitch: float
    half_width: float

    def axes(self) -> tuple[Vector, Vector, Vector]:
        """The camera's axes in the world: x right, y down, z forward (a right-handed frame)."""
        cy, sy, cp, sp = math.cos(self.yaw), math.sin(self.yaw), math.cos(self.pitch), math.sin(self.pitch)
        return (sy, -cy, 0.0), (sp * cy, sp * sy, -cp), (cp * cy, cp * sy, sp)


class Light(NamedTuple):
    """A point light with hard shadows, and what lights the rest.

    Irradiance: strength / (1 + falloff distance^2) from the light, `above` and `below` from the upper and the lower
    half-space, `fill` from the camera's direction, without shadow.
    """

    position: Vector
    colour: Colour
    strength: float
    falloff: float
    above: Colour
    below: Colour
    fill: float


class Shell(NamedTuple):
    """The axis-aligned box that surrounds everything, seen from inside; outdoors all but its floor is infinitely far.

    `haze` is the part of the light lost per metre, replaced by the horizon's colour.
    """

    lower: Vector
    upper: Vector
    floor: Material
    wall: Material
    ceiling: Material
    floor_class: str
    zenith: Colour = (0.0, 0.0, 0.0)
    horizon: Colour = (0.0, 0.0, 0.0)
    clouds: float = 0.0
    haze: float = 0.0


class Scene(NamedTuple):
    """What is rendered. The noise of textures and of the picture is computed from `seed`."""

    camera: Camera
    light: Light
    shell: Shell
    placed: list[Placed]
    seed: int
