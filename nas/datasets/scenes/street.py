"""Random streets."""

import math
import random
from collections.abc import Callable

from nas.datasets.scenes import furniture, outdoors
from nas.datasets.scenes.figure import person
from nas.datasets.scenes.placing import Ground
from nas.datasets.scenes.scene import Camera, Light, Scene, Shell
from nas.datasets.scenes.solids import Material, Placed, Thing, near


def street(rng: random.Random, num_objects: int) -> Scene:
    """Open ground with the camera above the world's origin, most often with a road across."""
    camera = Camera(
        (0.0, 0.0, rng.uniform(1.3, 2.4)),
        math.pi / 2 + rng.uniform(-0.1, 0.1),
        rng.uniform(-0.12, 0.0),
        math.tan(rng.uniform(0.45, 0.62)),
    )
    placed: list[Placed] = []
    road_y, road_yaw, road_width = rng.uniform(6.5, 10.0), rng.uniform(-0.3, 0.3), rng.uniform(3.5, 6.0)
    has_road = rng.random() < 0.7
    if has_road:
        placed.append(Placed(outdoors.road(rng, road_width), (0.0, road_y, 0.0), road_yaw))

    def off_road(x: float, y: float, radius: float) -> bool:
        across = abs((y - road_y) * math.cos(road_yaw) - x * math.sin(road_yaw))
        return not has_road or across > road_width / 2 + min(radius, 1.5)

    ground = Ground(camera, off_road)
    deck = ["house"] * 2 + ["car"] * 3 + ["tree"] * 4 + ["person"] * 4 + ["lamp", "thing"]
    order = ("house", "car", "tree", "lamp", "person", "thing")
    for name in sorted(rng.choices(deck, k=num_objects), key=order.index):
        make, distances = _OUTDOORS[name]
        thing = make(rng)
        if name == "car" and has_road:
            lane = rng.choice((-1, 1))
            along, across = rng.uniform(-0.8, 0.8) * road_y * camera.half_width, lane * road_width / 4
            x = along * math.cos(road_yaw) - across * math.sin(road_yaw)
            y = road_y + along * math.sin(road_yaw) + across * math.cos(road_yaw)
            # Cars may follow each other closely, which discs would not let them.
            if all(math.hypot(x - ox, y - oy) > other + 1.2 for ox, oy, other in ground.discs):
                ground.take(x, y, thing.radius)
                placed.append(Placed(thing, (x, y, 0.0), road_yaw + (0.0 if lane < 0 else math.pi)))
        elif (spot := ground.find(rng, thing.radius, distances)) is not None:
            facing = math.atan2(-spot[1], -spot[0]) + rng.uniform(-0.9, 0.9)
            yaw = facing if name in ("person", "house") else rng.uniform(0, math.tau)
            placed.append(Placed(thing, (*spot, 0.0), yaw))
    return Scene(camera, _sunlight(rng), _open_air(rng), placed, rng.getrandbits(31))


_OUTDOORS: dict[str, tuple[Callable[[random.Random], Thing], tuple[float, float]]] = {
    "house": (outdoors.house, (12.0, 26.0)),
    "car": (outdoors.car, (6.0, 14.0)),
    "tree": (outdoors.tree, (5.0, 24.0)),
    "lamp": (outdoors.street_lamp, (5.0, 14.0)),
    "person": (person, (2.6, 9.0)),
    "thing": (lambda rng: furniture.ornament(rng, 2.5), (2.5, 6.0)),
}


def _open_air(rng: random.Random) -> Shell:
    grass = near(rng, (0.16, 0.27, 0.07), 0.25)
    meadow = Material(grass, near(rng, grass, 0.4), "patches", 0.9, 0.9)
    sand = Material(near(rng, (0.45, 0.37, 0.24)), near(rng, (0.36, 0.30, 0.2)), "patches", 0.7, 0.5)
    slabs = Material((0.42, 0.41, 0.39), (0.34, 0.34, 0.33), "checker", rng.uniform(0.7, 1.2), 0.4)
    blank = Material((0.0, 0.0, 0.0))
    zenith, horizon = near(rng, (0.10, 0.25, 0.62), 0.3), near(rng, (0.62, 0.74, 0.88), 0.12)
    far = math.inf
    return Shell(
        (-far, -far, 0.0),
        (far, far, far),
        rng.choice((meadow, meadow, meadow, sand, slabs)),
        blank,
        blank,
        "ground",
        zenith,
        horizon,
        rng.uniform(0.0, 1.0),
        rng.uniform(0.002, 0.012),
    )


def _sunlight(rng: random.Random) -> Light:
    """The sun is a lamp 100 m away: its shadows are parallel to within the size of a pixel."""
    azimuth, elevation = rng.uniform(math.pi, 2 * math.pi) + rng.uniform(-0.3, 0.3), rng.uniform(0.45, 1.1)
    level = 100 * math.cos(elevation)
    position = (level * math.cos(azimuth), level * math.sin(azimuth) + 10, 100 * math.sin(elevation))
    return Light(position, (1.0, 0.95, 0.85), rng.uniform(0.9, 1.2), 0.0, (0.3, 0.36, 0.45), (0.14, 0.13, 0.1), 0.02)
