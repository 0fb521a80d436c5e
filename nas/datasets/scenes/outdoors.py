"""What stands outdoors: trees, cars, houses, street lamps and the road."""

import math
import random

from nas.datasets.scenes.solids import THIN, Material, Thing, ball, box, ellipsoid, frustum, hue, near, rod

_GLASS = Material((0.05, 0.08, 0.11), grain=0.05, gloss=0.6)


def tree(rng: random.Random) -> Thing:
    """A conifer of stacked cones or a broad crown of ellipsoids, 2.5 to 6 m high."""
    height = rng.uniform(2.6, 6.0)
    bark = Material(near(rng, (0.20, 0.12, 0.06)), grain=0.8, period=0.15)
    conifer = rng.random() < 0.4
    greens = ((0.07, 0.20, 0.04), (0.13, 0.28, 0.05), (0.22, 0.30, 0.06), (0.42, 0.22, 0.05))
    green = rng.choice(greens[:2] if conifer else greens)
    leaves = Material(near(rng, green, 0.2), near(rng, green, 0.5), "patches", 0.35, 0.9)
    if conifer:
        wide = height * rng.uniform(0.2, 0.26)
        solids = [rod((0, 0, 0), (0, 0, 0.25 * height), 0.03 * height, bark, "trunk")]
        for i, (low, high) in enumerate(((0.13, 0.55), (0.38, 0.78), (0.60, 1.0))):
            radius = wide * (1 - 0.24 * i)
            solids.append(frustum((0, 0, low * height), (0, 0, high * height), (radius, 0.05), leaves, "crown"))
        return Thing("tree", solids, wide)
    wide = height * rng.uniform(0.22, 0.3)
    solids = [
        frustum((0, 0, 0), (0, 0, 0.6 * height), (0.045 * height, 0.02 * height), bark, "trunk"),
        ellipsoid((0, 0, 0.72 * height), (wide, wide, 0.26 * height), leaves, "crown"),
    ]
    turn = rng.uniform(0, math.tau)
    for i in range(3):
        angle, lift = turn + i * math.tau / 3, rng.uniform(0.52, 0.66)
        centre = (0.6 * wide * math.cos(angle), 0.6 * wide * math.sin(angle), lift * height)
        solids.append(ellipsoid(centre, (0.65 * wide, 0.65 * wide, 0.15 * height), leaves, "crown"))
    return Thing("tree", solids, wide)


def car(rng: random.Random) -> Thing:
    """It faces x; about 4.2 m long."""
    scale = rng.uniform(0.9, 1.1)
    paint = Material(hue(rng, 0.8, 0.55), grain=0.05, gloss=0.5)
    tyre, hub = Material((0.02, 0.02, 0.02), grain=0.2), Material((0.5, 0.5, 0.52), gloss=0.4, grain=0.05)
    front, rear = Material((0.95, 0.92, 0.8), emission=0.3), Material((0.6, 0.03, 0.02), emission=0.15)
    bumper = Material((0.06, 0.06, 0.07), grain=0.1)
    long, wide, low = 2.05 * scale, 0.85 * scale, 0.28
    back, ahead = -rng.uniform(1.2, 1.9) * scale, rng.uniform(0.7, 0.95) * scale
    middle, half = (back + ahead) / 2, (ahead - back) / 2
    solids = [
        box((0, 0, low + 0.28), (long, wide, 0.28), paint, "body"),
        box((0, 0, low + 0.10), (long + 0.06, wide - 0.05, 0.09), bumper, "body"),
        box((middle, 0, 1.08), (half, wide - 0.1, 0.3), paint, "cabin"),
        box((middle, 0, 1.09), (half - 0.1, wide - 0.085, 0.2), _GLASS, "cabin"),
        box((middle, 0, 1.09), (half + 0.015, wide - 0.2, 0.21), _GLASS, "cabin"),
        # A bonnet that slopes down to the nose and a windscreen that leans back.
        box((ahead + 0.02, 0, 1.05), (0.04, wide - 0.16, 0.34), _GLASS, "cabin", (-0.5, 0.0, 0.866)),
    ]
    for x in (-0.62 * long, 0.62 * long):
        for side in (-1, 1):
            y = side * (wide - 0.08)
            solids.append(rod((x, y - side * 0.1, 0.31), (x, y + side * 0.11, 0.31), 0.31, tyre, "wheel"))
            solids.append(rod((x, y, 0.31), (x, y + side * 0.12, 0.31), 0.17, hub, "wheel"))
    for side in (-1, 1):
        solids.append(ellipsoid((long, side * 0.62 * wide, 0.62), (0.05, 0.15, 0.09), front, "body"))
        solids.append(box((-long, side * 0.7 * wide, 0.65), (0.02, 0.14, 0.07), rear, "body"))
    return Thing("car", solids, long + 0.1)


def house(rng: random.Random) -> Thing:
    """It faces x: walls, a gabled roof whose ridge runs along y, a door, windows and sometimes a chimney."""
    depth, width, height = rng.uniform(2.2, 2.9), rng.uniform(2.8, 4.5), rng.uniform(2.6, 3.4)
    bricks = rng.random() < 0.5
    tone = near(rng, rng.choice(((0.75, 0.68, 0.55), (0.85, 0.82, 0.76), (0.5, 0.22, 0.15), (0.55, 0.6, 0.62))))
    wall = Material(tone, near(rng, (0.6, 0.58, 0.54)), "bricks" if bricks else "plain", 0.25, 0.25)
    tiles = Material(near(rng, rng.choice(((0.35, 0.10, 0.06), (0.12, 0.12, 0.14), (0.25, 0.15, 0.09)))), grain=0.5)
    door, frame = Material(hue(rng, 0.7, 0.35), grain=0.3, period=0.2), Material((0.85, 0.85, 0.82), grain=0.1)
    slant = 1.06 * depth / math.sqrt(2)
    solids = [
        box((0, 0, height / 2), (depth, width, height / 2), wall, "walls"),
        # A square bar on its edge, its lower half inside the walls, and a little shorter than they are.
        box((0, 0, height), (slant, width - 0.02, slant), tiles, "roof", (math.sqrt(0.5), 0.0, math.sqrt(0.5))),
        box((depth, 0, 1.0), (0.05, 0.45, 1.0), door, "opening"),
    ]
    for y in (-0.6 * width, 0.6 * width):
        solids.append(box((depth, y, 1.6), (0.04, 0.55, 0.55), frame, "opening"))
        solids.append(box((depth, y, 1.6), (0.06, 0.47, 0.47), _GLASS, "opening"))
    for side in (-1, 1):
        solids.append(box((0, side * width, 1.6), (0.6, 0.04, 0.55), frame, "opening"))
        solids.append(box((0, side * width, 1.6), (0.52, 0.06, 0.47), _GLASS, "opening"))
    if rng.random() < 0.6:
        solids.append(box((-0.5 * depth, 0.5 * width, height + 0.8 * depth), (0.25, 0.25, 0.8), wall, "roof"))
    return Thing("house", solids, math.hypot(depth, width))


def street_lamp(rng: random.Random) -> Thing:
    height, metal = rng.uniform(3.2, 4.5), Material((0.12, 0.13, 0.13), grain=0.1, gloss=0.3)
    glow = Material((0.95, 0.9, 0.75), emission=0.4)
    return Thing(
        "lamp",
        [
            frustum((0, 0, 0), (0, 0, height), (0.09, 0.05), metal, "support"),
            ball((0, 0, height + 0.2), 0.25, glow, "shade"),
            rod((0, 0, 0), (0, 0, 0.25), 0.16, metal, "support"),
        ],
        0.3,
    )


def road(rng: random.Random, width: float) -> Thing:
    """It runs along x, with a line in the middle."""
    asphalt = Material((0.10, 0.10, 0.11), grain=0.4, period=0.4)
    paint = Material((0.75, 0.75, 0.72), grain=0.2)
    dashes = [box((x, 0, 3 * THIN), (1.0, 0.07, THIN), paint) for x in range(-24, 25, 4)]
    return Thing("road", [box((0, 0, THIN), (150.0, width / 2, THIN), asphalt), *dashes], 0.0)
