"""Experiments that leave their tasks and the input's shape to the data."""

import pytest
import torch

from nas import Experiment, Task, lazy
from nas.data import MaskedTensors
from nas.errors import InputError
from nas.recipe import complete, without_data
from nas.run.opened_run import open_experiment


class Source:
    def __init__(self, names=("kind",), width=5):
        self.tasks = [Task(name=name, num_outputs=2, loss="cross_entropy", metrics=("accuracy",)) for name in names]
        self.width = width

    def split(self, name):
        return MaskedTensors(torch.zeros(4, self.width), {})


class Silent:
    def split(self, name):
        return MaskedTensors(torch.zeros(4, 5), {})


def experiment(**fields):
    return Experiment(backbone=lazy(dict), **{"data": lazy(Source), **fields})


def test_tasks_and_shape_are_those_of_the_data():
    found = complete(experiment())
    assert found.task_names == ("kind",)
    assert found.input_shape == (5,)


def test_changes_of_the_data_come_before_and_those_of_tasks_after():
    changes = {"tasks.size.weight": 3.0, "data.names": ["kind", "size"], "data.width": 7}
    found = open_experiment(experiment(), changes)
    assert [task.weight for task in found.tasks] == [1.0, 3.0]
    assert found.input_shape == (7,)
    stated, later = without_data(experiment(), changes)
    assert (stated.tasks, later) == ((), {"tasks.size.weight": 3.0})
    with pytest.raises(InputError, match=r"'tasks.height'"):
        complete(experiment(), {"tasks.height.weight": 1.0})


def test_data_are_not_read_by_an_experiment_that_states_both():
    def fail():
        raise AssertionError

    tasks = Source().tasks
    stated = experiment(tasks=tasks, input_shape=(5,), data=lazy(fail))
    assert complete(stated, {"tasks.kind.weight": 2.0}).tasks[0].weight == 2


def test_data_without_tasks_are_refused():
    with pytest.raises(InputError, match=r"its data .*Silent state none as an attribute `tasks`"):
        complete(experiment(data=lazy(Silent)))
    with pytest.raises(InputError, match=r"data builtins\.dict: AttributeError"):
        complete(experiment(data=lazy(dict), tasks=Source().tasks))
