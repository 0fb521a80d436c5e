"""Planted problems that have a name, and random ones."""

from typing import Any

import numpy as np

from nas.data.seeds import derive_seed
from nas.datasets.planted.problem import PlantedProblem, write_labels
from nas.tree import random_tree_shape

TREE_A = "000000/000011/001122/001122"
TREE_C = "000111/000111/001223/001223"


def tree_a(**fields: Any) -> PlantedProblem:
    """Six tasks that part in pairs, in the middle: nine instances of four blocks."""
    return PlantedProblem(TREE_A, **fields)


def tree_c(**fields: Any) -> PlantedProblem:
    """Six tasks in two families from the start: twelve instances of four blocks."""
    return PlantedProblem(TREE_C, **fields)


def random_problem(num_tasks: int, num_blocks: int, seed: int, **fields: Any) -> PlantedProblem:
    """A problem with a random tree (`nas.tree.random_tree_shape`), which ``tools/validity.py`` may find invalid."""
    rng = np.random.default_rng(derive_seed("planted tree", seed))
    tree = random_tree_shape([f"t{t}" for t in range(num_tasks)], num_blocks, rng)
    return PlantedProblem(write_labels(tree.choices_LT), **fields)


def conv_problem(labels: str = TREE_A, **fields: Any) -> PlantedProblem:
    """A convolutional problem, by default with tree A on images of noise."""
    return PlantedProblem(labels, kind="conv", **fields)
