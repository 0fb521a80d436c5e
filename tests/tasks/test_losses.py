"""Losses are means over the entries that hold a value, and batches without any are harmless."""

import math

import pytest
import torch
from torch.nn import functional

from nas.errors import InputError
from nas.tasks import LOSSES

# Sums in another order: a few roundings of float32 numbers of size 1.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}
NAN = math.nan


def _normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(6,), (3, 4, 5)])
def test_cross_entropy_of_complete_labels_is_the_plain_mean(shape: tuple[int, ...]) -> None:
    outputs = _normal(shape[0], 7, *shape[1:])
    labels = torch.randint(7, shape, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(LOSSES["cross_entropy"](outputs, labels), functional.cross_entropy(outputs, labels))


def test_cross_entropy_ignores_minus_one_and_255() -> None:
    outputs, labels = _normal(2, 4, 2, 2), torch.tensor([[[0, -1], [255, 3]], [[255, 255], [-1, 2]]])
    rows = outputs.movedim(1, -1).reshape(-1, 4)[[0, 3, 7]]
    expected = functional.cross_entropy(rows, torch.tensor([0, 3, 2]))
    torch.testing.assert_close(LOSSES["cross_entropy"](outputs, labels), expected, **CLOSE)
    assert LOSSES["cross_entropy"](outputs, labels.to(torch.int16)) == LOSSES["cross_entropy"](outputs, labels)


def test_255_is_a_class_like_others_where_there_are_more_than_255() -> None:
    outputs = _normal(2, 300)
    labels = torch.tensor([255, -1])
    torch.testing.assert_close(LOSSES["cross_entropy"](outputs, labels), -outputs.log_softmax(1)[0, 255], **CLOSE)


def test_binary_cross_entropy_ignores_negatives_and_255() -> None:
    outputs = torch.tensor([[0.3, -2.0, 1.5], [0.7, 0.1, -0.4]])
    labels = torch.tensor([[1, 0, 255], [-1, 1, 255]])
    expected = functional.binary_cross_entropy_with_logits(
        torch.tensor([0.3, -2.0, 0.1]), torch.tensor([1.0, 0.0, 1.0])
    )
    for kind in (torch.int64, torch.float32):
        torch.testing.assert_close(LOSSES["binary_cross_entropy"](outputs, labels.to(kind)), expected, **CLOSE)


@pytest.mark.parametrize(("loss", "expected"), [("mse", (1 + 4 + 9) / 3), ("l1", (1 + 2 + 3) / 3)])
def test_regression_losses_ignore_nan(loss: str, expected: float) -> None:
    outputs, labels = torch.tensor([[1.0, 5.0], [2.0, 3.0]]), torch.tensor([[0.0, NAN], [4.0, 0.0]])
    torch.testing.assert_close(LOSSES[loss](outputs, labels), torch.tensor(expected), **CLOSE)


CLASSES, NUMBERS, FLAGS = torch.full((2, 3, 3), 255), torch.full((2, 3, 3, 3), NAN), torch.full((2, 3, 3, 3), -1.0)
LABELS = {
    "cross_entropy": (CLASSES, 1, 0),
    "binary_cross_entropy": (FLAGS, 1, 0),
    "balanced_binary_cross_entropy": (FLAGS, 1, 0),
    "weighted_binary_cross_entropy": (FLAGS, 1, 0),
    "normals_l1": (torch.zeros(2, 3, 3, 3), 0.6, -0.6),
    "normals_cosine": (NUMBERS, 0.6, -0.6),
    "depth_l1": (torch.zeros(2, 3, 3, 3), 3, 5),
    "mse": (NUMBERS, 1, 0),
    "l1": (NUMBERS, 1, 0),
}
"""Labels that hold nothing, and two values that they can hold."""


def test_every_loss_is_tested() -> None:
    assert LABELS.keys() == LOSSES.keys()


@pytest.mark.parametrize("loss", LOSSES)
def test_labels_without_any_value_give_zero_and_no_gradient(loss: str) -> None:
    outputs = _normal(2, 3, 3, 3).requires_grad_()
    value = LOSSES[loss](outputs, LABELS[loss][0])
    value.backward()
    assert value.item() == 0
    assert torch.equal(outputs.grad, torch.zeros_like(outputs))


@pytest.mark.parametrize("loss", LOSSES)
def test_an_ignored_entry_gets_no_gradient_and_the_others_do(loss: str) -> None:
    outputs = _normal(2, 3, 3, 3).requires_grad_()
    nothing, one, other = LABELS[loss]
    labels = nothing.clone()
    labels[0, ..., 0, 0], labels[1, ..., 2, 1] = one, other
    LOSSES[loss](outputs, labels).backward()
    reached = outputs.grad != 0
    assert reached[0, :, 0, 0].all()
    assert reached[1, :, 2, 1].all()
    assert reached.sum() == 6


@pytest.mark.parametrize("loss", LOSSES)
def test_the_mean_is_over_the_entries_that_hold_a_value(loss: str) -> None:
    outputs = _normal(2, 3, 3, 3)
    nothing, one, other = LABELS[loss]
    labels = nothing.clone()
    labels[0, ..., 0, 0], labels[1, ..., 2, 1] = one, other
    cut_outputs = torch.stack([outputs[0, :, 0, 0], outputs[1, :, 2, 1]])[..., None, None]
    cut_labels = torch.stack([labels[0, ..., 0, 0], labels[1, ..., 2, 1]])[..., None, None]
    torch.testing.assert_close(LOSSES[loss](outputs, labels), LOSSES[loss](cut_outputs, cut_labels), **CLOSE)


@pytest.mark.parametrize("loss", LOSSES)
def test_no_rows_at_all_give_zero(loss: str) -> None:
    labels = torch.zeros(0, dtype=torch.int64) if loss == "cross_entropy" else torch.zeros(0, 3)
    assert LOSSES[loss](torch.zeros(0, 3), labels).item() == 0


@pytest.mark.parametrize("loss", sorted(set(LOSSES) - {"cross_entropy"}))
def test_shapes_that_would_broadcast_are_refused(loss: str) -> None:
    with pytest.raises(InputError, match=rf"{loss} needs .*\[5, 1\].* \[5\]"):
        LOSSES[loss](torch.zeros(5, 1), torch.zeros(5))


@pytest.mark.parametrize("labels", [torch.zeros(5, 1, dtype=torch.int64), torch.zeros(5)])
def test_cross_entropy_needs_one_integer_per_sample(labels: torch.Tensor) -> None:
    with pytest.raises(InputError, match=r"integer labels of shape \[5\].*found torch"):
        LOSSES["cross_entropy"](torch.zeros(5, 3), labels)
