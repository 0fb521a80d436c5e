"""The tasks of `nas.datasets.planted`."""

from nas.datasets.planted.problem import PlantedProblem
from nas.tasks.task import Task


def planted_tasks(problem: PlantedProblem) -> tuple[Task, ...]:
    """One regression a task, all of weight 1; their losses are comparable, for all labels have deviation 1."""
    return tuple(
        Task(name=name, num_outputs=problem.num_outputs, loss="mse", metrics=("rmse",)) for name in problem.tasks
    )
