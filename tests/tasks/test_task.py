"""A task is checked when it is made."""

import pytest
import torchmetrics
from pydantic import ValidationError

from nas.datasets.digits.tasks import digit_tasks
from nas.tasks import LOSSES, METRICS, Task


def test_an_unknown_loss_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match=r"no loss 'crossentropy'.*" + ", ".join(LOSSES)):
        Task(name="task", num_outputs=2, loss="crossentropy", metrics=("accuracy",))


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match=r"no metric 'acc'.*" + ", ".join(METRICS)):
        Task(name="task", num_outputs=2, loss="cross_entropy", metrics=("accuracy", "acc"))


def test_functions_are_taken_as_they_are() -> None:
    def metric(task: Task) -> torchmetrics.Metric:
        return torchmetrics.MeanSquaredError()

    task = Task(name="task", num_outputs=1, loss=LOSSES["mse"], metrics=(metric, "mae"))
    assert task.loss is LOSSES["mse"]
    assert task.metrics == (metric, "mae")


def test_labels_name_every_output() -> None:
    with pytest.raises(ValidationError, match=r"3 outputs; found 2 names"):
        Task(name="task", num_outputs=3, loss="cross_entropy", metrics=("accuracy",), labels=("cat", "dog"))


def test_digit_tasks_name_their_classes() -> None:
    tasks = {task.name: task for task in digit_tasks()}
    assert tuple(tasks) == ("left", "right", "sum", "larger", "ink", "restore")
    assert tasks["sum"].labels == tuple(str(total) for total in range(19))
    assert tasks["larger"].labels == ("left", "neither", "right")
