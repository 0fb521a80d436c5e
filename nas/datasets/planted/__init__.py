"""Planted problems: teachers with a known tree, whose samples ask a search to find it.

A `PlantedProblem` describes the tree, the teacher and the amount of data, `PlantedData` is the data source that a seed
makes of it, and `nas.tree.recovery` measures how much of the tree was found. The tasks are `planted_tasks`, and a
student of the same architecture is `search_spaces.PlantedBackbone`.

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

Not every teacher asks a question: where its tasks part late, or what it computes is nearly linear, a random tree of
equal cost may be as good. `nas.training.check_validity` asks a problem's own data.
"""

from nas.datasets.planted.named import TREE_A, TREE_C, conv_problem, random_problem, tree_a, tree_c
from nas.datasets.planted.problem import PlantedProblem, write_labels
from nas.datasets.planted.source import PlantedData, planted_data
from nas.datasets.planted.tasks import planted_tasks
from nas.datasets.planted.teacher import Teacher

__all__ = [
    "TREE_A",
    "TREE_C",
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
