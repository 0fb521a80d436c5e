"""Random scenes."""

import random

from nas.datasets.scenes.room import room
from nas.datasets.scenes.scene import Scene
from nas.datasets.scenes.street import street


def compose(rng: random.Random, indoor: float, num_objects: tuple[int, int]) -> Scene:
    """A scene: a room with probability `indoor`, else a street.

    `num_objects` bounds the number of things that are asked for; one that finds no free place is left out. Rugs,
    pictures, hanging lamps and roads come on top.
    """
    make = room if rng.random() < indoor else street
    return make(rng, rng.randint(*num_objects))
