"""The six tasks of `nas.datasets.digits.source`."""

from nas.datasets.digits.source import DIGIT_TASKS
from nas.tasks.task import Task

_DIGITS = tuple(str(digit) for digit in range(10))
_SUMS = tuple(str(total) for total in range(19))


def digit_tasks() -> tuple[Task, ...]:
    """Two digits, their sum, the larger one, the ratio of their ink, and the image restored.

    With these weights each weighted loss is between 1 and 3 in an untrained network.
    """
    tasks = (
        _classes("left", _DIGITS),
        _classes("right", _DIGITS),
        _classes("sum", _SUMS),
        _classes("larger", ("left", "neither", "right")),
        Task(name="ink", num_outputs=1, loss="mse", metrics=("rmse", "mae")),
        Task(name="restore", num_outputs=1, loss="mse", metrics=("psnr", "mae"), weight=10.0),
    )
    assert tuple(task.name for task in tasks) == DIGIT_TASKS
    return tasks


def _classes(name: str, labels: tuple[str, ...]) -> Task:
    return Task(name=name, num_outputs=len(labels), loss="cross_entropy", metrics=("accuracy", "f1"), labels=labels)
