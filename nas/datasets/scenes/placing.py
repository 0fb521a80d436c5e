"""Where things go: free places on the ground in front of the camera."""

import math
import random
from collections.abc import Callable

from nas.datasets.scenes.scene import Camera

_TRIES = 30


class Ground:
    """Free places in front of the camera: discs of things must not overlap."""

    def __init__(self, camera: Camera, inside: Callable[[float, float, float], bool]) -> None:
        self.camera = camera
        self.inside = inside
        self.discs: list[tuple[float, float, float]] = []

    def free(self, x: float, y: float, radius: float) -> bool:
        cx, cy, _ = self.camera.position
        return (
            self.inside(x, y, radius)
            and math.hypot(x - cx, y - cy) > radius + 0.6
            and all(math.hypot(x - ox, y - oy) > 0.9 * (radius + other) for ox, oy, other in self.discs)
        )

    def take(self, x: float, y: float, radius: float) -> None:
        self.discs.append((x, y, radius))

    def find(self, rng: random.Random, radius: float, distances: tuple[float, float]) -> tuple[float, float] | None:
        """A free place in view, its distance from the camera uniform in the range; None if the tries run out."""
        half_angle = math.atan(self.camera.half_width)
        for _ in range(_TRIES):
            distance, angle = rng.uniform(*distances), self.camera.yaw + 0.9 * half_angle * rng.uniform(-1, 1)
            x = self.camera.position[0] + distance * math.cos(angle)
            y = self.camera.position[1] + distance * math.sin(angle)
            if self.free(x, y, radius):
                self.take(x, y, radius)
                return x, y
        return None
