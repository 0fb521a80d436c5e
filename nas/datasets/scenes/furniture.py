"""What stands in rooms: tables, chairs, lamps, potted plants, small things; rugs, pictures and windows."""

import random
from collections.abc import Callable

from nas.datasets.scenes.solids import (
    THIN,
    Colour,
    Material,
    Pattern,
    Solid,
    Thing,
    Vector,
    ball,
    box,
    ellipsoid,
    frustum,
    hue,
    limb,
    near,
    rod,
)

_WOODS: tuple[Colour, ...] = ((0.45, 0.26, 0.12), (0.60, 0.42, 0.22), (0.22, 0.11, 0.06), (0.75, 0.62, 0.42))


def wood(rng: random.Random) -> Material:
    colour = near(rng, rng.choice(_WOODS))
    darker = (0.7 * colour[0], 0.7 * colour[1], 0.7 * colour[2])
    return Material(colour, darker, grain=0.6, period=0.15, gloss=0.05)


def _metal(rng: random.Random) -> Material:
    grey = rng.uniform(0.1, 0.6)
    return Material((grey, grey, grey * 1.03), grain=0.1, gloss=0.4)


def table(rng: random.Random) -> Thing:
    """Rectangular on four legs, or round on one."""
    height, material = rng.uniform(0.66, 0.8), wood(rng)
    top = height - 0.02
    if rng.random() < 0.35:
        radius = rng.uniform(0.4, 0.65)
        solids = [
            rod((0, 0, top - 0.02), (0, 0, height), radius, material, "top"),
            rod((0, 0, 0.03), (0, 0, top), 0.05, material, "support"),
            frustum((0, 0, 0), (0, 0, 0.06), (0.55 * radius, 0.3 * radius), material, "support"),
        ]
        return Thing("table", solids, radius)
    length, depth = rng.uniform(0.5, 0.85), rng.uniform(0.36, 0.5)
    legs = material if rng.random() < 0.6 else _metal(rng)
    solids = [box((0, 0, top), (length, depth, 0.025), material, "top")]
    solids += _legs(length - 0.06, depth - 0.06, top, 0.032, legs)
    return Thing("table", solids, (length**2 + depth**2) ** 0.5)


def _legs(x: float, y: float, height: float, radius: float, material: Material) -> list[Solid]:
    corners = ((-x, -y), (-x, y), (x, -y), (x, y))
    return [rod((*corner, 0.0), (*corner, height), radius, material, "support") for corner in corners]


def chair(rng: random.Random) -> Thing:
    """It faces x, its back is behind."""
    seat, half, material = rng.uniform(0.42, 0.48), rng.uniform(0.2, 0.24), wood(rng)
    cloth = (
        Material(hue(rng), hue(rng), rng.choice(("plain", "checker")), 0.12, 0.4) if rng.random() < 0.5 else material
    )
    back_height = rng.uniform(0.22, 0.28)
    solids = [
        box((0, 0, seat), (half, half, 0.03), cloth, "top"),
        box(
            (-half - 0.02, 0, seat + 0.12 + back_height),
            (0.022, half, back_height),
            cloth,
            "back",
            (-0.13, 0.0, 0.9915),
        ),
    ]
    solids += _legs(half - 0.03, half - 0.03, seat, 0.024, material)
    for y in (-half + 0.03, half - 0.03):
        solids.append(rod((-half + 0.01, y, seat), (-half - 0.03, y, seat + 0.2), 0.02, material, "back"))
    return Thing("chair", solids, 1.45 * half)


def _shade(rng: random.Random) -> Material:
    return Material(near(rng, (0.95, 0.85, 0.62)), near(rng, (0.9, 0.6, 0.3)), "plain", 0.1, 0.1, rng.uniform(0.3, 0.8))


def floor_lamp(rng: random.Random) -> Thing:
    height, metal = rng.uniform(1.4, 1.75), _metal(rng)
    wide = rng.uniform(0.2, 0.28)
    return Thing(
        "lamp",
        [
            rod((0, 0, 0), (0, 0, 0.03), 0.17, metal, "support"),
            rod((0, 0, 0.02), (0, 0, height - 0.25), 0.022, metal, "support"),
            frustum((0, 0, height - 0.3), (0, 0, height), (wide, 0.55 * wide), _shade(rng), "shade"),
        ],
        0.25,
    )


def hanging_lamp(rng: random.Random, bottom: float, ceiling: float) -> Thing:
    """It hangs above the origin, from one height down to another."""
    solids = [rod((0, 0, bottom + 0.15), (0, 0, ceiling), 0.012, _metal(rng), "support")]
    if rng.random() < 0.5:
        solids.append(ball((0, 0, bottom + 0.13), 0.15, _shade(rng), "shade"))
    else:
        solids.append(frustum((0, 0, bottom), (0, 0, bottom + 0.2), (0.24, 0.08), _shade(rng), "shade"))
    return Thing("lamp", solids, 0.25)


def ornament(rng: random.Random, scale: float = 1.0) -> Thing:
    """A ball, crate, pot, cone or vase, `scale` times 15 to 25 cm high or so."""
    size = scale * rng.uniform(0.08, 0.13)
    pattern: Pattern = rng.choice(("plain", "plain", "checker", "stripes", "patches"))
    material = Material(hue(rng, 0.8, 0.7), hue(rng, 0.5, 0.8), pattern, 0.8 * size, 0.3, gloss=rng.uniform(0, 0.4))
    solid = rng.choice(_ORNAMENTS)(size, material)
    return Thing("thing", [solid], 1.5 * size)


_ORNAMENTS: tuple[Callable[[float, Material], Solid], ...] = (
    lambda size, material: ball((0, 0, 1.1 * size), 1.1 * size, material),
    lambda size, material: ellipsoid((0, 0, 0.8 * size), (1.3 * size, size, 0.8 * size), material),
    lambda size, material: box((0, 0, size), (size, 0.9 * size, size), material),
    lambda size, material: rod((0, 0, 0), (0, 0, 2 * size), 0.8 * size, material),
    lambda size, material: frustum((0, 0, 0), (0, 0, 2.6 * size), (size, 0.0), material),
    lambda size, material: frustum((0, 0, 0), (0, 0, 1.8 * size), (1.1 * size, 0.7 * size), material),
    lambda size, material: limb((0, 0, 0.6 * size), (0, 0, 2.2 * size), 0.6 * size, material),
)


def potted_plant(rng: random.Random) -> Thing:
    """It has the class and the parts of a tree."""
    leaves = Material(near(rng, (0.08, 0.24, 0.06), 0.3), (0.15, 0.35, 0.08), "patches", 0.12, 0.8)
    pot = Material(hue(rng, 0.6, 0.5), grain=0.2)
    height = rng.uniform(0.7, 1.3)
    solids = [
        frustum((0, 0, 0), (0, 0, 0.26), (0.17, 0.14), pot, "trunk"),
        rod((0, 0, 0.2), (0, 0, 0.6 * height), 0.025, Material((0.2, 0.13, 0.07)), "trunk"),
        ellipsoid((0, 0, 0.68 * height), (0.24, 0.24, 0.3 * height), leaves, "crown"),
        ellipsoid((0.1, 0.1, 0.85 * height), (0.17, 0.17, 0.18 * height), leaves, "crown"),
    ]
    return Thing("tree", solids, 0.28)


def rug(rng: random.Random) -> Thing:
    pattern: Pattern = rng.choice(("checker", "stripes", "patches", "plain"))
    material = Material(hue(rng, 0.6, 0.5), hue(rng, 0.4, 0.7), pattern, rng.uniform(0.2, 0.4), 0.3)
    size = (rng.uniform(0.9, 1.4), rng.uniform(0.7, 1.0), THIN)
    return Thing("floor", [box((0, 0, THIN), size, material)], 0.0)


def picture(rng: random.Random) -> Thing:
    """It hangs on a wall at the origin and faces x: a framed painting or a window onto the sky."""
    half: Vector = (0.015, rng.uniform(0.3, 0.6), rng.uniform(0.25, 0.45))
    inner = (0.02, half[1] - 0.05, half[2] - 0.05)
    if rng.random() < 0.5:
        inside = Material(near(rng, (0.6, 0.75, 0.95)), (0.9, 0.95, 1.0), "patches", 0.8, 0.1, 0.8)
        frame = Material((0.8, 0.8, 0.78), grain=0.1)
        bars = [box((0.01, 0, 0), (0.02, 0.02, half[2]), frame), box((0.01, 0, 0), (0.02, half[1], 0.02), frame)]
    else:
        inside = Material(hue(rng, 0.7, 0.6), hue(rng, 0.6, 0.8), rng.choice(("patches", "stripes")), 0.25, 0.3)
        frame, bars = wood(rng), []
    return Thing("picture", [box((0, 0, 0), half, frame), box((0, 0, 0), inner, inside), *bars], 0.0)
