import pytest
import torch
from toys import toy_batch, toy_tasks

from nas.errors import InputError, WorkFailed
from nas.tasks.epoch_losses import EpochLosses, mean_of

TASKS = toy_tasks(2)


def new_losses(batch=None, epoch=0):
    return EpochLosses(TASKS, epoch, lambda: [batch or toy_batch(TASKS)])


def loss(value):
    return torch.tensor(value)


def test_losses_are_kept_by_task_over_the_steps_that_have_them():
    losses = new_losses()
    losses.add({"t0": loss(1.0), "t1": loss(4.0)})
    losses.add({})
    losses.add({"t0": loss(2.0), "t0:1": loss(3.0)}, at_once=True)
    by_task = losses.by_task()
    assert {name: values.tolist() for name, values in by_task.items()} == {"t0": [1.0, 2.0, 3.0], "t1": [4.0]}
    assert [mean_of(values) for values in by_task.values()] == [2.0, 4.0]


def test_an_epoch_without_losses_names_the_tasks():
    with pytest.raises(WorkFailed, match=r"^epoch 3: no batch had a label of t0, t1$"):
        new_losses(epoch=2).by_task()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_the_first_loss_that_is_not_finite_is_named(value):
    losses = new_losses()
    losses.add({"t0": loss(1.0), "t1": loss(value)})
    losses.add({"t0": loss(float("nan")), "t1": loss(float("nan"))})
    with pytest.raises(WorkFailed, match=rf"^epoch 1: the loss of t1 is {value}; lower the learning rate"):
        losses.by_task()
    with pytest.raises(WorkFailed, match=rf"^epoch 1: the loss of t0 is {value}"):
        new_losses().add({"t0": loss(value)}, at_once=True)


def test_labels_are_blamed_where_they_are_at_fault():
    batch = toy_batch(TASKS)
    batch.labels["t0"][0] = 99
    losses = new_losses(batch)
    losses.add({"t0": loss(float("nan"))})
    with pytest.raises(InputError, match=r"^epoch 1: the loss of t0 is nan: batch 1 of the epoch has"):
        losses.by_task()


def test_a_negative_loss_is_refused_unless_it_may_be():
    losses = new_losses()
    losses.add({"t0": loss(5.0), "t0:1": loss(-1.0)})
    with pytest.raises(InputError, match="task t0: its loss is -1"):
        losses.by_task()
    assert losses.by_task(signed=True)["t0"].tolist() == [5.0, -1.0]
