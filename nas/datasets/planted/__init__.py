"""Planted problems: the labels come from a network with a known tree, and a search has to find this tree.

A `PlantedProblem` describes the tree, the network (the "teacher") and the amount of data. `PlantedData` draws the
samples for one seed. `planted_tasks` are the tasks, and `search_spaces.PlantedBackbone` is a student with the teacher's
architecture. `nas.tree.recovery` measures how much of the tree was found.

>>> from nas.datasets.planted import PlantedData, tree_a
>>> from nas.tree import recovery
>>> problem = tree_a(noise=0.25)
>>> data = PlantedData(problem, seed=0)
>>> len(data.split("train")) + len(data.split("architecture"))
1024
>>> inputs, labels = data.split("train")[0]
>>> inputs.shape, labels["t5"].shape
(torch.Size([8]), torch.Size([4]))
>>> recovery(problem.tree, problem.tree).ari
1.0

Not every planted problem tests a search. If its tasks part late, or if the teacher is nearly linear, random trees of
equal cost may be as good as the planted one. ``tools/validity.py`` checks this on the problem's own data.
"""

from nas.datasets.planted.named import TREE_A, conv_problem, random_problem, tree_a, tree_c
from nas.datasets.planted.problem import PlantedProblem, write_labels
from nas.datasets.planted.source import PlantedData, planted_data
from nas.datasets.planted.tasks import planted_tasks
from nas.datasets.planted.teacher import Teacher

__all__ = [
    "TREE_A",
    "PlantedData",
    "PlantedProblem",
    "Teacher",
    "conv_problem",
    "planted_data",
    "planted_tasks",
    "random_problem",
    "tree_a",
    "tree_c",
    "write_labels",
]
