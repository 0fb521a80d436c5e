"""A sample without a label for a task contributes neither loss nor gradient to it."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from nas.data.batch import Batch
from nas.tasks import Task, task_losses

KIND = Task(name="kind", num_outputs=3, loss="cross_entropy", metrics=("accuracy",))
SIZE = Task(name="size", num_outputs=1, loss="mse", metrics=("rmse",), weight=7.0)
TASKS = (KIND, SIZE)
KINDS, SIZES = torch.tensor([2, 0, 1, 1]), torch.tensor([[0.5], [1.0], [-1.0], [2.0]])


def _batch(kind_rows: list[bool], size_rows: list[bool]) -> Batch:
    kind_present, size_present = torch.tensor(kind_rows), torch.tensor(size_rows)
    labels = {"kind": KINDS[kind_present], "size": SIZES[size_present]}
    return Batch(torch.arange(8.0).reshape(4, 2) / 8, labels, {"kind": kind_present, "size": size_present})


def _outputs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {t.name: torch.randn(4, t.num_outputs, generator=generator).requires_grad_() for t in TASKS}


def test_losses_are_unweighted_means_over_labelled_rows() -> None:
    outputs = _outputs()
    losses = task_losses(TASKS, outputs, _batch([True, False, True, False], [True] * 4))
    assert list(losses) == ["kind", "size"]
    assert losses["kind"] == functional.cross_entropy(outputs["kind"][[0, 2]], KINDS[[0, 2]])
    assert losses["size"] == functional.mse_loss(outputs["size"], SIZES)


def test_rows_without_the_label_get_exactly_no_gradient() -> None:
    outputs = _outputs()
    present = {"kind": [False, True, True, False], "size": [True, False, False, False]}
    sum(task_losses(TASKS, outputs, _batch(present["kind"], present["size"])).values()).backward()
    for task, rows in present.items():
        assert (outputs[task].grad != 0).any(dim=1).tolist() == rows


@pytest.mark.parametrize("absent", [True, False])
def test_a_task_nobody_has_a_label_for_has_no_loss_and_its_head_no_gradient(absent: bool) -> None:
    batch = _batch([True, True, False, True], [False] * 4)
    if absent:
        del batch.labels["size"], batch.present["size"]
    heads = {task.name: nn.Linear(2, task.num_outputs) for task in TASKS}
    losses = task_losses(TASKS, {name: head(batch.inputs) for name, head in heads.items()}, batch)
    assert set(losses) == {"kind"}
    sum(losses.values()).backward()
    assert heads["kind"].weight.grad is not None
    assert heads["size"].weight.grad is None


def test_a_loss_may_be_a_function() -> None:
    task = KIND.model_copy(update={"loss": lambda outputs, labels: outputs.sum() + len(labels)})
    outputs = {"kind": torch.ones(4, 3)}
    losses = task_losses((task,), outputs, _batch([True, True, False, False], [False] * 4))
    assert losses["kind"].item() == 2 * 3 + 2
