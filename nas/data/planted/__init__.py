"""Planted problems: teachers with a known tree, whose samples ask a search to find it.

A `PlantedProblem` describes the tree, the teacher and the amount of data, `PlantedData` is the data source that a seed
makes of it, and `recovery` measures how much of the tree was found. The tasks are `nas.tasks.planted_tasks`, and a
student of the same architecture is `search_spaces.PlantedBackbone`.

>>> from nas.data.planted import PlantedData, recovery, tree_a
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

from nas.data.planted.named import TREE_A, TREE_C, conv_problem, random_problem, tree_a, tree_c
from nas.data.planted.problem import PlantedProblem, write_labels
from nas.data.planted.recovery import Recovery, recovery
from nas.data.planted.source import PlantedData, planted_data
from nas.data.planted.teacher import Teacher

__all__ = [
    "TREE_A",
    "TREE_C",
    "PlantedData",
    "PlantedProblem",
    "Recovery",
    "Teacher",
    "conv_problem",
    "planted_data",
    "random_problem",
    "recovery",
    "tree_a",
    "tree_c",
    "write_labels",
]
