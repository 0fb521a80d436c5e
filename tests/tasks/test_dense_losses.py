"""The losses of dense tasks, by hand and against NumPy."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import InputError
from nas.tasks import LOSSES
from nas.tasks.losses import balanced_binary_cross_entropy, weighted_binary_cross_entropy

# Sums in another order: a few roundings of float32 numbers of size 1.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}
LOG2 = math.log(2)


def _normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _mask(*shape: int, share: float, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(*shape, generator=generator) < share).float()
    return labels.masked_fill(torch.rand(*shape, generator=generator) < 0.2, 255)


def test_weights_of_positives_and_negatives_by_hand() -> None:
    # Undecided logits cost log 2 each: one positive, three negatives, one without a value.
    outputs, labels = torch.zeros(1, 1, 1, 5), torch.tensor([1.0, 0, 0, 0, 255]).view(1, 1, 1, 5)
    weighted = LOSSES["weighted_binary_cross_entropy"](outputs, labels)
    assert weighted.item() == pytest.approx((0.95 + 3 * 0.05) / 4 * LOG2)
    balanced = LOSSES["balanced_binary_cross_entropy"](outputs, labels)
    assert balanced.item() == pytest.approx((0.75 + 3 * 0.25) / 4 * LOG2)
    nyud = partial(weighted_binary_cross_entropy, positive_weight=0.8)(outputs, labels)
    assert nyud.item() == pytest.approx((0.8 + 3 * 0.2) / 4 * LOG2)


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_weighted_losses_equal_the_formula(seed: int, share: float) -> None:
    outputs, labels = _normal(2, 1, 4, 5, seed=seed), _mask(2, 1, 4, 5, share=share, seed=seed)
    x, y = outputs.numpy().astype(float), labels.numpy()
    x, y = x[y != 255], y[y != 255]
    losses = {"weighted_binary_cross_entropy": 0.95, "balanced_binary_cross_entropy": np.mean(y == 0) if len(y) else 0}
    for name, w in losses.items():
        expected = np.mean(w * y * np.log1p(np.exp(-x)) + (1 - w) * (1 - y) * np.log1p(np.exp(x))) if len(y) else 0
        torch.testing.assert_close(LOSSES[name](outputs, labels).item(), float(expected), **CLOSE)


def test_the_balanced_loss_gives_both_sides_the_same_weight() -> None:
    labels = torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 0]).view(1, 1, 2, 4)
    outputs = torch.zeros(1, 1, 2, 4, requires_grad=True)
    balanced_binary_cross_entropy(outputs, labels).backward()
    pull = outputs.grad.flatten()
    assert pull[0].item() == pytest.approx(-pull[1:].sum().item())


@pytest.mark.parametrize("weight", [-0.1, 1.1, math.nan])
def test_a_weight_that_is_no_share_is_refused(weight: float) -> None:
    with pytest.raises(InputError, match=r"positive_weight in \[0, 1\].*found"):
        weighted_binary_cross_entropy(torch.zeros(1, 1), torch.zeros(1, 1), positive_weight=weight)


def test_normals_are_compared_by_direction_alone() -> None:
    # Towards (0, 0, -1): exact, square to it, opposite, and a pixel without a normal.
    outputs = torch.tensor([[0.0, 0, -5], [0.1, 0, 0], [0, 0, 3], [1, 1, 1]]).T.view(1, 3, 1, 4)
    labels = torch.tensor([[0.0, 0, -1], [0, 0, -1], [0, 0, -1], [0, 0, 0]]).T.view(1, 3, 1, 4)
    assert LOSSES["normals_l1"](outputs, labels).item() == pytest.approx((0 + 2 + 2) / 3)
    assert LOSSES["normals_cosine"](outputs, labels).item() == pytest.approx((0 + 1 + 2) / 3)


@settings(deadline=None)
@given(seed=st.integers(0, 10**6))
def test_losses_of_normals_equal_the_formula(seed: int) -> None:
    outputs, labels = _normal(2, 3, 3, 4, seed=seed), _normal(2, 3, 3, 4, seed=seed + 1)
    labels = torch.nn.functional.normalize(labels, dim=1)
    labels[:, :, 0, seed % 4] = 0
    labels[0, 1, 2, 2] = math.nan
    a, b = (x.movedim(1, -1).reshape(-1, 3).double().numpy() for x in (outputs, labels))
    valid = np.abs(b).sum(1) > 0
    a, b = a[valid] / np.linalg.norm(a[valid], axis=1, keepdims=True), b[valid]
    assert len(a) == 21
    expected = {"normals_l1": np.abs(a - b).sum(1).mean(), "normals_cosine": (1 - (a * b).sum(1)).mean()}
    for name, value in expected.items():
        torch.testing.assert_close(LOSSES[name](outputs, labels).item(), float(value), **CLOSE)


def test_a_prediction_of_no_direction_has_a_finite_gradient() -> None:
    outputs = torch.zeros(1, 3, 1, 1, requires_grad=True)
    LOSSES["normals_l1"](outputs, torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1)).backward()
    assert outputs.grad.isfinite().all()


def test_depth_counts_where_it_is_known() -> None:
    outputs = torch.tensor([1.0, 7, -2, 4, 9]).view(1, 1, 1, 5).requires_grad_()
    labels = torch.tensor([3.0, 0, 1, math.inf, math.nan]).view(1, 1, 1, 5)
    loss = LOSSES["depth_l1"](outputs, labels)
    assert loss.item() == pytest.approx((2 + 3) / 2)
    loss.backward()
    assert outputs.grad.flatten().tolist() == [-0.5, 0, -0.5, 0, 0]


@pytest.mark.parametrize("loss", ["normals_l1", "normals_cosine"])
def test_normals_have_three_channels(loss: str) -> None:
    with pytest.raises(InputError, match=rf"{loss} needs .*\[n, 3, ...\]; found outputs \[2, 1, 4, 4\]"):
        LOSSES[loss](torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4))
