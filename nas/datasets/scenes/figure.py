"""A person: standing, walking or waving, grown up or a child."""

import math
import random

from nas.datasets.scenes.solids import Material, Solid, Thing, Vector, ball, ellipsoid, hue, limb, near, rod

_SKIN = ((0.80, 0.55, 0.42), (0.62, 0.38, 0.26), (0.42, 0.24, 0.15), (0.25, 0.14, 0.09))
_HAIR = ((0.02, 0.015, 0.01), (0.12, 0.06, 0.03), (0.45, 0.30, 0.12), (0.35, 0.12, 0.05), (0.40, 0.40, 0.40))


def person(rng: random.Random) -> Thing:
    """Proportions are fractions of the height: hips .52, shoulders .80, centre of the head .925."""
    height = rng.uniform(1.05, 1.35) if rng.random() < 0.2 else rng.uniform(1.55, 1.92)
    girth = height * rng.uniform(0.9, 1.2)
    skin = Material(near(rng, rng.choice(_SKIN)), grain=0.1, period=0.2)
    hair = Material(near(rng, rng.choice(_HAIR)), grain=0.5, period=0.05)
    shirt = Material(hue(rng, 0.7, 0.6), hue(rng, 0.5, 0.8), rng.choice(("plain", "plain", "stripes")), 0.11, 0.2)
    trousers = Material(hue(rng, 0.4, 0.3), grain=0.3, period=0.2)
    shoes = Material(hue(rng, 0.3, 0.2), grain=0.1)
    stride = rng.uniform(-0.5, 0.5) if rng.random() < 0.6 else 0.0
    solids = [
        ellipsoid((0, 0, 0.925 * height), (0.058 * height, 0.050 * height, 0.073 * height), skin, "head"),
        ellipsoid((-0.016 * height, 0, 0.943 * height), (0.056 * height, 0.057 * height, 0.064 * height), hair, "head"),
        rod((0, 0, 0.80 * height), (0, 0, 0.88 * height), 0.030 * height, skin, "head"),
        Solid(
            "cone",
            (0, 0, 0.66 * height),
            (0.068 * girth, 0.112 * girth, 0.15 * height),
            shirt,
            "torso",
            (0.0, 0.0, -1.0),
            0.78,
        ),
        limb((0, -0.085 * girth, 0.795 * height), (0, 0.085 * girth, 0.795 * height), 0.042 * height, shirt, "torso"),
        ellipsoid((0, 0, 0.515 * height), (0.066 * girth, 0.092 * girth, 0.055 * height), trousers, "torso"),
    ]
    for side in (-1, 1):
        solids += _leg(side, side * stride, height, girth, trousers, shoes)
        raised = rng.random() < 0.15
        swing = rng.uniform(2.2, 2.9) if raised else -0.8 * side * stride + rng.uniform(-0.1, 0.3)
        solids += _arm(side, swing, rng.uniform(0.1, 0.35), height, girth, shirt, skin)
    return Thing("person", solids, 0.22 * height)


def _leg(side: int, swing: float, height: float, girth: float, trousers: Material, shoes: Material) -> list[Solid]:
    hip: Vector = (0, side * 0.052 * girth, 0.50 * height)
    knee = _swung(hip, swing, 0.0, 0.235 * height)
    ankle = _swung(knee, swing - 0.25 * abs(swing), 0.0, 0.225 * height)
    ankle = (ankle[0], ankle[1], max(ankle[2], 0.035 * height))
    toe: Vector = (ankle[0] + 0.085 * height, ankle[1], ankle[2] - 0.008 * height)
    return [
        limb(hip, knee, 0.046 * girth, trousers, "upper_leg"),
        limb(knee, ankle, 0.034 * girth, trousers, "lower_leg"),
        limb((ankle[0] - 0.01 * height, ankle[1], ankle[2] - 0.005 * height), toe, 0.027 * height, shoes, "lower_leg"),
    ]


def _arm(
    side: int, swing: float, spread: float, height: float, girth: float, shirt: Material, skin: Material
) -> list[Solid]:
    shoulder: Vector = (0, side * 0.118 * girth, 0.79 * height)
    elbow = _swung(shoulder, swing, side * spread, 0.165 * height)
    wrist = _swung(elbow, swing + 0.4, side * spread * 0.5, 0.145 * height)
    return [
        limb(shoulder, elbow, 0.031 * girth, shirt, "upper_arm"),
        limb(elbow, wrist, 0.025 * girth, skin, "lower_arm"),
        ball(_swung(wrist, swing + 0.4, 0.0, 0.03 * height), 0.029 * height, skin, "lower_arm"),
    ]


def _swung(joint: Vector, swing: float, spread: float, length: float) -> Vector:
    """The end of a bone that hangs from the joint: swung forward, then spread to the left (radians)."""
    level = length * math.cos(spread)
    return (
        joint[0] + level * math.sin(swing),
        joint[1] + length * math.sin(spread),
        joint[2] - level * math.cos(swing),
    )
