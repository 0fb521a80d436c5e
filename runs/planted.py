"""Tasks whose best tree is known, because a teacher with that tree made their labels: does a search find it?"""

import math
from dataclasses import asdict
from typing import Any

from nas import Experiment, Goal, Gradient, Similarity, TrainingSettings, lazy
from nas.cost import measure_costs
from nas.datasets.planted import PlantedProblem, planted_data, planted_tasks, tree_a
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from search_spaces import PlantedBackbone


def experiment() -> Experiment:
    """Six tasks, four fully connected blocks, and as much budget as the planted tree costs."""
    return planted_experiment(tree_a())


def planted_experiment(
    problem: PlantedProblem, seed: int = 0, *, width: int | None = None, norm: bool = False, **fields: Any
) -> Experiment:
    """The experiment of any planted problem.

    Args:
        problem: what is planted.
        seed: of the teacher and its samples, and of the search and the trainings.
        width: of the student; the teacher's if left out.
        norm: whether the student has BatchNorms.
        fields: of `Experiment`, in the place of those here.
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
    # Smaller data get more epochs, not fewer steps. A label of an image is one at each position, so fewer will do.
    num_steps = 1000 if problem.kind == "conv" else 2000
    steps_per_epoch = max(1, (problem.num_train + problem.num_architecture) // 64)
    defaults = {
        "tasks": tasks,
        "backbone": lazy(PlantedBackbone, **student),
        "data": lazy(planted_data, seed=seed, **asdict(problem)),
        "input_shape": problem.input_shape,
        "goal": Goal(budgets=(planted_share(problem, PlantedBackbone(**student)),)),
        # A quarter of the steps of a training, on two copies of every task: for tree A 1.3 trainings of its network.
        "strategy": Similarity(
            epochs=max(1, round(num_steps / 4 / steps_per_epoch)),
            batch_size=64,
            weights=OptimizerSettings(kind="adam", lr=2e-2),
            schedule=ScheduleSettings(kind="constant"),
        ),
        "strategies": {
            "gradient": Gradient(
                epochs=84,
                warmup=0.5,
                batch_size=64,
                weights=OptimizerSettings(kind="adam", lr=1e-2),
                logits=OptimizerSettings(kind="adam", lr=3e-2),
                # The states of optimisers that are forgotten every twelve steps never settle.
                reset_optimizers=False,
            )
        },
        "retrain": TrainingSettings(
            epochs=max(1, round(num_steps / steps_per_epoch)),
            batch_size=64,
            optimizer=OptimizerSettings(kind="adam", lr=2e-2),
            schedule=ScheduleSettings(kind="cosine"),
        ),
        "seed": seed,
        # The networks are so small that a second thread costs more than it gives.
        "num_threads": 1,
    }
    return Experiment(**{**defaults, **fields})


def planted_share(problem: PlantedProblem, backbone: PlantedBackbone) -> float:
    """What the planted tree costs, as a share of separate networks, rounded up so that it allows that tree."""
    table = measure_costs(backbone, planted_tasks(problem), problem.input_shape).table
    return math.ceil(1e4 * table.tree_cost(problem.tree)["macs"] / table.separate_cost()["macs"]) / 1e4
