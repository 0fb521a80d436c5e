"""What an experiment leaves to its data source: the tasks, and the shape of a sample."""

from collections.abc import Mapping
from typing import Any

from nas.errors import InputError, as_input_errors
from nas.recipe.experiment import Experiment
from nas.tasks import Task

_OF_TASKS = "tasks."


def complete(experiment: Experiment, changes: Mapping[str, Any] | None = None) -> Experiment:
    """The experiment with changes applied, and with the tasks and the input's shape of its data where it states none.

    Changes of single tasks (``tasks.price.weight``) are applied to the data's tasks. The data source is built only if
    it is needed.

    Raises:
        InputError: a bad change (`Experiment.with_fields`), data that cannot be read, or a source without ``tasks``.
    """
    stated, later = without_data(experiment, changes)
    if stated.tasks and stated.input_shape:
        return stated.with_fields(later)
    with as_input_errors(f"data {stated.data.name}"):
        source = stated.data()
        found: dict[str, Any] = {}
        if not stated.tasks:
            found["tasks"] = _tasks_of(source, stated.data.name)
        if not stated.input_shape:
            found["input_shape"] = tuple(source.split("train")[0][0].shape)
    return stated.with_fields(found).with_fields(later)


def without_data(experiment: Experiment, changes: Mapping[str, Any] | None = None) -> tuple[Experiment, dict[str, Any]]:
    """The experiment with the changes that need no data, and the others: those of tasks that it does not state."""
    now = dict(changes or {})
    later = {} if experiment.tasks else {name: now.pop(name) for name in list(now) if name.startswith(_OF_TASKS)}
    return experiment.with_fields(now), later


def _tasks_of(source: Any, name: str) -> tuple[Task, ...]:
    found = getattr(source, "tasks", None)
    tasks = tuple(found) if isinstance(found, list | tuple) else ()
    if not tasks or not all(isinstance(task, Task) for task in tasks):
        raise InputError(
            f"tasks: the experiment names none, and its data {name} state none as an attribute `tasks`; "
            "give Experiment(tasks=[...])"
        )
    return tasks
