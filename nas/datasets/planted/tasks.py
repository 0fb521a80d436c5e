"""The tasks of `nas.datasets.planted`."""

from nas.datasets.planted.problem import PlantedProblem
from nas.tasks.task import Task


def planted_tasks(problem: PlantedProblem) -> tuple[Task, ...]:
    """One regression per task, all with weight 1, since the labels of all tasks have standard deviation 1."""
    return tuple(
        Task(name=name, num_outputs=problem.num_outputs, loss="mse", metrics=("rmse",)) for name in problem.tasks
    )
