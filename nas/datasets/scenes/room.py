"""Random rooms."""

import math
import random
from collections.abc import Callable

from nas.datasets.scenes import furniture
from nas.datasets.scenes.figure import person
from nas.datasets.scenes.placing import Ground
from nas.datasets.scenes.scene import Camera, Light, Scene, Shell
from nas.datasets.scenes.solids import Material, Placed, Thing, Vector, hue, near


def room(rng: random.Random, num_objects: int) -> Scene:
    """A room about the world's origin, seen from near one wall; things stand on the floor, at tables and on them."""
    half_x, half_y, height = rng.uniform(1.9, 3.0), rng.uniform(2.1, 3.4), rng.uniform(2.4, 3.0)
    x, y = rng.uniform(-0.6, 0.6) * half_x, -half_y + rng.uniform(0.15, 0.5)
    yaw = math.atan2(half_y * rng.uniform(0.2, 1) - y, half_x * rng.uniform(-0.4, 0.4) - x)
    camera = Camera((x, y, rng.uniform(1.2, 1.8)), yaw, rng.uniform(-0.28, -0.08), math.tan(rng.uniform(0.55, 0.70)))

    def inside(x: float, y: float, radius: float) -> bool:
        return abs(x) < half_x - radius and abs(y) < half_y - radius

    ground = Ground(camera, inside)
    num_pictures = rng.randint(1, 3)
    placed = [_on_wall(rng, furniture.picture(rng), half_x, half_y, 0.58 * height) for _ in range(num_pictures)]
    if rng.random() < 0.5:
        placed.append(Placed(furniture.rug(rng), (rng.uniform(-0.3, 0.3) * half_x, 0.2 * half_y, 0.0)))
    # The light is just under the ceiling, or under the lamp that hangs from it.
    light = (rng.uniform(-0.5, 0.5) * half_x, rng.uniform(-0.3, 0.5) * half_y, height - rng.uniform(0.1, 0.3))
    if rng.random() < 0.4:
        bottom = height - rng.uniform(0.5, 0.8)
        placed.append(Placed(furniture.hanging_lamp(rng, bottom, height), (light[0], light[1], 0.0)))
        light = (light[0], light[1], bottom - 0.05)
    # Large things first, while there is room.
    deck = ["table"] * 2 + ["person"] * 3 + ["chair"] * 3 + ["lamp", "plant"] + ["thing"] * 3
    order = ("table", "person", "chair", "lamp", "plant", "thing")
    tables: list[Placed] = []
    for name in sorted(rng.choices(deck, k=num_objects), key=order.index):
        found = _furnish(rng, name, ground, tables, 2 * half_y)
        if found is not None:
            placed.append(found)
            if name == "table":
                tables.append(found)
    shell = _walls(rng, half_x, half_y, height)
    return Scene(camera, _lamplight(rng, light), shell, placed, rng.getrandbits(31))


_INDOORS: dict[str, Callable[[random.Random], Thing]] = {
    "table": furniture.table,
    "person": person,
    "chair": furniture.chair,
    "lamp": furniture.floor_lamp,
    "plant": furniture.potted_plant,
    "thing": lambda rng: furniture.ornament(rng, 1.5),
}


def _furnish(rng: random.Random, name: str, ground: Ground, tables: list[Placed], depth: float) -> Placed | None:
    if name == "thing" and tables and rng.random() < 0.7:
        return _on_table(rng, furniture.ornament(rng), rng.choice(tables))
    thing = _INDOORS[name](rng)
    if name == "chair" and tables and rng.random() < 0.7:
        return _at_table(rng, thing, rng.choice(tables), ground)
    spot = ground.find(rng, thing.radius, (1.3 + thing.radius, depth))
    if spot is None:
        return None
    camera = ground.camera
    facing = math.atan2(camera.position[1] - spot[1], camera.position[0] - spot[0]) + rng.uniform(-1.2, 1.2)
    return Placed(thing, (*spot, 0.0), facing if name in ("person", "chair") else rng.uniform(0, math.tau))


def _on_table(rng: random.Random, thing: Thing, table: Placed) -> Placed:
    top = table.thing.solids[0]
    along, across = rng.uniform(-0.65, 0.65) * top.size[0], rng.uniform(-0.65, 0.65) * top.size[1]
    if top.kind == "cylinder":
        along, across = 0.7 * along, 0.7 * across
    c, s = math.cos(table.yaw), math.sin(table.yaw)
    x, y = table.position[0] + c * along - s * across, table.position[1] + s * along + c * across
    return Placed(thing, (x, y, top.centre[2] + top.size[2]), rng.uniform(0, math.tau))


def _at_table(rng: random.Random, chair: Thing, table: Placed, ground: Ground) -> Placed | None:
    """At a side of the table, turned to it, drawn up to different degrees."""
    top = table.thing.solids[0]
    for _ in range(8):
        side = rng.randrange(4)
        angle = table.yaw + side * math.pi / 2
        away = top.size[side % 2] + rng.uniform(0.1, 0.3)
        x, y = table.position[0] + away * math.cos(angle), table.position[1] + away * math.sin(angle)
        # Part of the chair may be under the table, so only the other discs count.
        others = [disc for disc in ground.discs if disc[:2] != table.position[:2]]
        crowded = any(math.hypot(x - ox, y - oy) < chair.radius + 0.7 * other for ox, oy, other in others)
        away_from_camera = math.hypot(x - ground.camera.position[0], y - ground.camera.position[1]) > 1.2
        if ground.inside(x, y, chair.radius) and away_from_camera and not crowded:
            ground.take(x, y, chair.radius)
            return Placed(chair, (x, y, 0.0), angle + math.pi + rng.uniform(-0.2, 0.2))
    return None


def _on_wall(rng: random.Random, thing: Thing, half_x: float, half_y: float, height: float) -> Placed:
    side = rng.choice(("left", "ahead", "ahead", "right"))
    if side == "ahead":
        return Placed(thing, (rng.uniform(-0.75, 0.75) * half_x, half_y, height), -math.pi / 2)
    y = rng.uniform(-0.1, 0.75) * half_y
    return Placed(thing, (-half_x, y, height), 0.0) if side == "left" else Placed(thing, (half_x, y, height), math.pi)


def _walls(rng: random.Random, half_x: float, half_y: float, height: float) -> Shell:
    plank = furniture.wood(rng)._replace(pattern="stripes", period=rng.uniform(0.12, 0.25))
    pale = near(rng, (0.6, 0.58, 0.55), 0.3)
    tiles = Material(pale, near(rng, pale, 0.4), "checker", rng.uniform(0.3, 0.6), 0.2, gloss=0.1)
    carpet = Material(hue(rng, 0.35, 0.4), grain=0.5, period=0.12)
    paint = hue(rng, 0.2, 0.75)
    wall = Material(paint, near(rng, paint, 0.3), rng.choice(("plain", "plain", "bricks")), 0.2, 0.12)
    ceiling = Material(near(rng, (0.82, 0.82, 0.8), 0.1), grain=0.05)
    corner: Vector = (half_x, half_y, height)
    return Shell((-half_x, -half_y, 0.0), corner, rng.choice((plank, plank, tiles, carpet)), wall, ceiling, "floor")


def _lamplight(rng: random.Random, position: Vector) -> Light:
    warmth = rng.uniform(0.75, 1.0)
    above = rng.uniform(0.16, 0.3)
    return Light(
        position, (1.0, (1 + warmth) / 2, warmth), rng.uniform(0.9, 1.4), 0.06, (above,) * 3, (0.9 * above,) * 3, 0.1
    )
