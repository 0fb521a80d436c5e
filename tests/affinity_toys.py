"""Small problems for the strategies of `nas.strategies.affinity`."""

import numpy as np
from planted_sharing import PlantedEvaluator, some_effects
from toys import DEVICE, IN_FEATURES, ToyData, VectorBackbone, toy_tasks

from nas.cost import measure_costs
from nas.data import MaskedTensors
from nas.strategies import Goal, Problem, Store
from nas.tasks import Task

BACKBONE = VectorBackbone(2)
TASKS = toy_tasks(3)
TABLE = measure_costs(BACKBONE, TASKS, (IN_FEATURES,)).table
BUDGETS = Goal(budgets=(0.6, 0.85))

TWINS = (
    Task(name="a", num_outputs=2, loss="mse", metrics=("rmse",)),
    Task(name="b", num_outputs=2, loss="mse", metrics=("rmse",)),
)
"""Two tasks that `TwinData` gives equal labels."""


class TwinData:
    """Two tasks with the labels of one."""

    def __init__(self, missing=0.0):
        data = ToyData(toy_tasks(2), missing=missing)
        self.splits = {
            name: MaskedTensors(
                each.inputs, dict.fromkeys("ab", each.labels["t1"]), dict.fromkeys("ab", each.present["t1"])
            )
            for name, each in data.splits.items()
        }

    def split(self, name):
        return self.splits[name]


def toy_problem(folder, goal=BUDGETS, *, backbone=BACKBONE, tasks=TASKS, data=None, seed=0, on_epoch=lambda _: None):
    """A problem of toy tasks; the evaluator trains nothing."""
    effects_LTT = some_effects(np.random.default_rng(0), len(tasks), backbone.num_blocks)
    folder.mkdir(parents=True, exist_ok=True)
    return Problem(
        *(tasks, backbone, data or ToyData(tasks), measure_costs(backbone, tasks, (IN_FEATURES,)).table, goal),
        seed=seed,
        device=DEVICE,
        store=Store(folder),
        on_epoch=on_epoch,
        evaluator=PlantedEvaluator(effects_LTT, noise=1.0, seconds=1.0),
    )


def facts(found):
    """Everything that a search found and that is not a time."""
    trees = [(t.tree.partitions, t.budget, t.value, t.measure, t.std, t.confidence, t.kind) for t in found.trees]
    return trees, found.diagnosis, found.withheld
