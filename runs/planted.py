"""Does a search find the right tree? The labels come from a teacher network with a known tree."""

import math
from dataclasses import asdict
from typing import Any

from nas import Experiment, Goal, Gradient, Similarity, TrainingSettings, lazy
from nas.cost import measure_costs
from nas.datasets.planted import PlantedProblem, planted_data, planted_tasks, tree_a
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from search_spaces import PlantedBackbone


def experiment() -> Experiment:
    """Six tasks, four fully connected blocks; the budget is the cost of the planted tree."""
    return planted_experiment(tree_a())


def planted_experiment(
    problem: PlantedProblem, seed: int = 0, *, width: int | None = None, norm: bool = False, **fields: Any
) -> Experiment:
    """The experiment of any planted problem.

    Args:
        problem: the planted problem.
        seed: seed of the teacher, its samples, the search and the trainings.
        width: width of the student; by default the teacher's.
        norm: whether the student has BatchNorms.
        fields: fields of `Experiment` that replace those set here.
    """
    tasks = planted_tasks(problem)
    student = {
        "num_blocks": problem.num_blocks,
        "kind": problem.kind,
        "width": problem.width if width is None else width,
        "input_width": problem.input_width,
        "pooled": problem.pooled,
        "norm": norm,
    }
    # The number of steps does not depend on the amount of data. Images need fewer steps, since each has many labels.
    num_steps = 1000 if problem.kind == "conv" else 2000
    steps_per_epoch = max(1, (problem.num_train + problem.num_architecture) // 64)
    defaults = {
        "tasks": tasks,
        "backbone": lazy(PlantedBackbone, **student),
        "data": lazy(planted_data, seed=seed, **asdict(problem)),
        "input_shape": problem.input_shape,
        "goal": Goal(budgets=(planted_share(problem, PlantedBackbone(**student)),)),
        "strategies": {
            # A quarter of the steps of a training, on two copies of every task: for tree A the cost of 1.3 trainings.
            "similarity": Similarity(
                epochs=max(1, round(num_steps / 4 / steps_per_epoch)),
                batch_size=64,
                weights=OptimizerSettings(kind="adam", lr=2e-2),
                schedule=ScheduleSettings(kind="constant"),
            ),
            "gradient": Gradient(
                epochs=84,
                warmup=0.5,
                batch_size=64,
                weights=OptimizerSettings(kind="adam", lr=1e-2),
                logits=OptimizerSettings(kind="adam", lr=3e-2),
                # A pass has only twelve steps, too few for the optimisers' states after a reset.
                reset_optimizers=False,
            ),
        },
        "strategy": "similarity",
        "retrain": TrainingSettings(
            epochs=max(1, round(num_steps / steps_per_epoch)),
            batch_size=64,
            optimizer=OptimizerSettings(kind="adam", lr=2e-2),
            schedule=ScheduleSettings(kind="cosine"),
        ),
        "seed": seed,
        # For networks this small a second thread is slower.
        "num_threads": 1,
    }
    return Experiment(**{**defaults, **fields})


def planted_share(problem: PlantedProblem, backbone: PlantedBackbone) -> float:
    """The cost of the planted tree as a share of separate networks, rounded up so that this budget allows the tree."""
    table = measure_costs(backbone, planted_tasks(problem), problem.input_shape).table
    return math.ceil(1e4 * table.tree_cost(problem.tree)["macs"] / table.separate_cost()["macs"]) / 1e4
