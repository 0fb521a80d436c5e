import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import VectorBackbone, assert_same, copied_state, names, seeded, toy_batch, toy_tasks

from nas.engine.compute import ComputeSettings
from nas.networks.branched import BranchedNetwork
from nas.tasks import LOSSES, Task
from nas.training import DistillSettings
from nas.training.distill import DISTILL_LOSSES, Distillation, classes, directions, distances, squares, yes_or_no
from nas.tree import BranchTree

TASKS = toy_tasks(3)


def pair(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [3 * torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2)]


def test_every_loss_that_has_a_name_has_its_difference():
    assert DISTILL_LOSSES.keys() == LOSSES.keys()


@given(st.sampled_from(sorted(DISTILL_LOSSES)), st.floats(0.5, 10.0), st.integers(0, 1000))
def test_a_difference_is_positive_and_zero_with_zero_gradient_where_outputs_agree(name, temperature, seed):
    student, teacher = pair((4, 3, 2, 2), seed)
    assert DISTILL_LOSSES[name](student, teacher, temperature) > 0
    same = teacher.clone().requires_grad_()
    value = DISTILL_LOSSES[name](same, teacher, temperature)
    value.backward()
    # Differences of equal numbers of about one, in double precision.
    assert abs(value.item()) < 1e-12
    assert same.grad.abs().max() < 1e-12


@pytest.mark.parametrize("shape", [(5, 4), (2, 4, 3, 3)])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_classes_by_hand(shape, temperature):
    student, teacher = pair(shape)
    p, q = (torch.softmax(outputs / temperature, dim=1) for outputs in (teacher, student))
    expected = temperature**2 * (p * (p / q).log()).sum(dim=1).mean()
    torch.testing.assert_close(classes(student, teacher, temperature), expected)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_yes_or_no_is_two_classes(temperature):
    student, teacher = pair((6, 1))
    as_classes = [torch.cat([torch.zeros_like(outputs), outputs], dim=1) for outputs in (student, teacher)]
    torch.testing.assert_close(yes_or_no(student, teacher, temperature), classes(*as_classes, temperature))


def test_quantities_and_directions_by_hand():
    student, teacher = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])
    assert squares(student, teacher, 9.0) == 2.5
    assert distances(student, teacher, 9.0) == 1.5
    right, left = torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.5, math.sqrt(0.75), 0.0]])
    assert directions(right[..., None, None], left[..., None, None], 9.0).item() == pytest.approx(0.5)


def new_network(tree, seed, dropout=0.5):
    return seeded(lambda: BranchedNetwork(VectorBackbone(2, dropout=dropout), TASKS, tree), seed)


def test_teachers_are_asked_about_every_sample_in_evaluation_and_are_not_trained():
    teachers = {task: new_network(BranchTree.shared([task], 2), seed) for seed, task in enumerate(names(TASKS))}
    before = {task: copied_state(teacher) for task, teacher in teachers.items()}
    inputs = toy_batch(TASKS, missing=0.5).inputs
    distillation = Distillation(teachers, DistillSettings(weight=0.5, temperature=3.0), ComputeSettings())
    student = new_network(BranchTree.shared(names(TASKS), 2), 9)
    outputs = student(inputs)
    found = distillation.losses(TASKS, outputs, inputs)
    assert list(found) == list(names(TASKS))
    with torch.no_grad():
        taught = {task: teacher.eval()(inputs)[task] for task, teacher in teachers.items()}
    assert_same(found["t0"], 0.5 * classes(outputs["t0"], taught["t0"], 3.0))
    assert_same(found["t1"], 0.5 * squares(outputs["t1"], taught["t1"], 3.0))
    sum(found.values()).backward()
    for task, teacher in teachers.items():
        assert_same(copied_state(teacher), before[task])
        assert all(parameter.grad is None for parameter in teacher.parameters())


def test_a_loss_of_ones_own_is_compared_by_squares():
    task = Task(name="t1", num_outputs=2, loss=lambda outputs, labels: outputs.sum(), metrics=("rmse",))
    teacher = new_network(BranchTree.shared(["t1"], 2), 0)
    inputs = toy_batch(TASKS).inputs
    outputs = {"t1": torch.zeros(len(inputs), 2)}
    found = Distillation({"t1": teacher}, DistillSettings(weight=1.0), ComputeSettings()).losses(
        [task], outputs, inputs
    )
    assert_same(found["t1"], teacher(inputs)["t1"].detach().square().mean())
