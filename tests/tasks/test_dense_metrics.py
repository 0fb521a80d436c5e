"""The metrics of dense tasks, by hand and against NumPy."""

import math

import numpy as np
import pytest
import torch
import torchmetrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas.tasks import METRICS, Task

NAN = math.nan
# Float32, and sums in another order.
CLOSE = 1e-5


def _metric(name: str, num_outputs: int = 1) -> torchmetrics.Metric:
    return METRICS[name](Task(name="task", num_outputs=num_outputs, loss="mse", metrics=(name,)))


def _value(name: str, *batches: tuple[Tensor, Tensor], num_outputs: int = 1) -> float:
    metric = _metric(name, num_outputs)
    for outputs, labels in batches:
        metric.update(outputs, labels)
    return metric.compute().item()


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_mean_iou_by_hand() -> None:
    outputs = torch.eye(4)[torch.tensor([[[0, 0, 1, 1]], [[2, 0, 1, 2]]])].movedim(-1, 1)
    labels = torch.tensor([[[0, 1, 1, 255]], [[0, 0, 1, -1]]])
    # Class 0: 2 of 4 (two right, one taken for 2, one of 1 taken for it), class 1: 2 of 3, class 2: 0 of 1; no 3.
    expected = (2 / 4 + 2 / 3 + 0) / 3
    assert _value("mean_iou", (outputs, labels), num_outputs=4) == pytest.approx(expected)


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), num_classes=st.integers(2, 6))
def test_mean_iou_equals_its_formula(seed: int, num_classes: int) -> None:
    rng = np.random.default_rng(seed)
    outputs = _normal(3, num_classes, 4, 4, seed=seed)
    labels = rng.choice([*range(num_classes - 1), 255], (3, 4, 4))
    labels[0, 0, 0] = 0
    chosen, valid, ratios = outputs.argmax(1).numpy(), labels != 255, []
    for k in range(num_classes):
        union = (((chosen == k) | (labels == k)) & valid).sum()
        if union:
            ratios.append(((chosen == k) & (labels == k) & valid).sum() / union)
    found = _value("mean_iou", (outputs, torch.from_numpy(labels)), num_outputs=num_classes)
    assert found == pytest.approx(np.mean(ratios), abs=CLOSE)


def test_max_mean_iou_by_hand() -> None:
    def logits(*probabilities: float) -> Tensor:
        return torch.tensor(probabilities).logit().view(1, 1, 1, 4)

    first = logits(0.8, 0.6, 0.3, 0.97), torch.tensor([1.0, 1, 0, 255]).view(1, 1, 1, 4)
    second = logits(0.7, 0.1, 0.1, 0.1), torch.tensor([1.0, 1, 1, 1]).view(1, 1, 1, 4)
    empty = logits(0.1, 0.1, 0.1, 0.1), torch.zeros(1, 1, 1, 4)
    nothing = logits(0.9, 0.9, 0.9, 0.9), torch.full((1, 1, 1, 4), 255.0)
    # From .3 to below .6 the first has IoU 1 and the second 1/4; nothing to find and nothing found is 1.
    assert _value("max_mean_iou", first, second) == pytest.approx((1 + 1 / 4) / 2)
    assert _value("max_mean_iou", first, second, empty, nothing) == pytest.approx((1 + 1 / 4 + 1) / 3)


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), share=st.sampled_from((0.0, 0.1, 0.5)))
def test_max_mean_iou_equals_its_formula(seed: int, share: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(5, 1, 4, 6, generator=generator) * 2
    labels = (torch.rand(5, 1, 4, 6, generator=generator) < share).float()
    labels[torch.rand(5, 1, 4, 6, generator=generator) < 0.2] = 255
    p, y = 1 / (1 + np.exp(-outputs.double().numpy())), labels.numpy()
    means = []
    for threshold in np.arange(0.2, 0.91, 0.05):
        ratios = []
        for i in range(5):
            found, true = p[i][y[i] != 255] > threshold, y[i][y[i] != 255] == 1
            ratios.append(1.0 if not (found | true).any() else (found & true).sum() / (found | true).sum())
        means.append(np.mean(ratios))
    assert len(means) == 15
    found = _value("max_mean_iou", (outputs[:2], labels[:2]), (outputs[2:], labels[2:]))
    # Without any foreground in the set there is nothing to find.
    assert found == pytest.approx(max(means) if (labels == 1).any() else NAN, abs=CLOSE, nan_ok=True)


def _turned(*degrees: float) -> Tensor:
    """Directions [1, 3, 1, n] that are some degrees from (0, 0, 1), of all lengths."""
    turns = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    directions = torch.stack([turns.sin() * 0.6, turns.sin() * 0.8, turns.cos()])
    return (directions * torch.linspace(0.5, 20, len(degrees))).float().view(1, 3, 1, -1)


AHEAD = torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1)
ANGLES = {
    "mean_angle": (0 + 0.003 + 10 + 11.5 + 29 + 180) / 6,
    "median_angle": 10,
    "within_11_25": 3 / 6,
    "within_22_5": 4 / 6,
    "within_30": 5 / 6,
}


@pytest.mark.parametrize("name", ANGLES)
def test_angles_by_hand(name: str) -> None:
    outputs = _turned(0, 0.003, 10, 11.5, 29, 180, 77, 50)
    labels = AHEAD.repeat(1, 1, 1, 8)
    labels[..., 6], labels[..., 7] = 0, NAN
    # The median is the third of six, to within a bin of 0.01.
    tolerance = 0.0101 if name == "median_angle" else 1e-4
    assert _value(name, (outputs, labels)) == pytest.approx(ANGLES[name], abs=tolerance)


def test_small_angles_are_told_apart() -> None:
    # The arc cosine of a float32 product would give 0 or 0.02.
    assert _value("mean_angle", (_turned(0.003), AHEAD)) == pytest.approx(0.003, rel=0.01)


def test_a_prediction_of_no_direction_is_a_right_angle_off() -> None:
    assert _value("mean_angle", (torch.zeros(1, 3, 1, 1), AHEAD)) == pytest.approx(90)


@settings(deadline=None)
@given(seed=st.integers(0, 10**6))
def test_angles_equal_their_formula(seed: int) -> None:
    outputs, labels = _normal(3, 3, 5, 4, seed=seed), _normal(3, 3, 5, 4, seed=seed + 1)
    outputs = outputs + 2 * labels  # more small angles than large ones
    labels[:, :, 0, 0] = 0
    a, b = (x.movedim(1, -1).reshape(-1, 3).double().numpy() for x in (outputs, labels))
    a, b = a[np.abs(b).sum(1) > 0], b[np.abs(b).sum(1) > 0]
    assert len(a) == 57
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    batches = (outputs[:1], labels[:1]), (outputs[1:], labels[1:])
    assert _value("mean_angle", *batches) == pytest.approx(angles.mean(), rel=CLOSE)
    assert _value("median_angle", *batches) == pytest.approx(np.median(angles), abs=0.0101)
    for name, limit in {"within_11_25": 11.25, "within_22_5": 22.5, "within_30": 30}.items():
        assert _value(name, *batches) == pytest.approx((angles < limit).mean(), abs=CLOSE)


def test_errors_of_depth_by_hand() -> None:
    outputs = torch.tensor([1.0, 3.0, 2.6, -4.0, 9.0, 9.0]).view(1, 1, 1, 6)
    labels = torch.tensor([1.0, 2.0, 2.0, 4.0, 0.0, NAN]).view(1, 1, 1, 6)
    expected = {
        "depth_rmse": math.sqrt((0 + 1 + 0.36 + 64) / 4),
        "depth_mae": (0 + 1 + 0.6 + 8) / 4,
        "abs_rel": (0 + 1 / 2 + 0.3 + 2) / 4,
        "delta1": 1 / 4,
    }
    for name, value in expected.items():
        assert _value(name, (outputs, labels)) == pytest.approx(value)
        # An error of a few large depths weighs as much in a batch of its own: all pixels are pooled.
        rows = [(outputs[..., i : i + 1], labels[..., i : i + 1]) for i in range(6)]
        assert _value(name, *rows) == pytest.approx(value)


@settings(deadline=None)
@given(seed=st.integers(0, 10**6))
def test_errors_of_depth_equal_their_formulas(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.rand(2, 1, 5, 6, generator=generator) * 10
    outputs = labels * (1 + 0.3 * torch.randn(2, 1, 5, 6, generator=generator))
    labels[torch.rand(2, 1, 5, 6, generator=generator) < 0.2] = 0
    p, d = (x[labels > 0].double().numpy() for x in (outputs, labels))
    with np.errstate(divide="ignore"):
        ratios = np.where(p > 0, np.maximum(p / d, d / p), np.inf)
    # The metric's single precision may put a ratio this near to the threshold on its other side.
    assume(np.abs(ratios - 1.25).min() > 1e-6)
    expected = {
        "depth_rmse": np.sqrt(np.mean((p - d) ** 2)),
        "depth_mae": np.mean(np.abs(p - d)),
        "abs_rel": np.mean(np.abs(p - d) / d),
        "delta1": np.mean(ratios < 1.25),
    }
    for name, value in expected.items():
        assert _value(name, (outputs, labels)) == pytest.approx(float(value), rel=CLOSE)
