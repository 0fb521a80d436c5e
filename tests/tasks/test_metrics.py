"""Metrics agree with their formulas, over the entries that hold a value, however the batches are cut."""

import math

import pytest
import torch
import torchmetrics

from nas.tasks import METRICS, Task

HIGHER_IS_BETTER = {
    "accuracy": True,
    "f1": True,
    "binary_accuracy": True,
    "binary_f1": True,
    "roc_auc": True,
    "rmse": False,
    "mae": False,
    "psnr": True,
    "mean_iou": True,
    "max_mean_iou": True,
    "ods_f": True,
    "mean_angle": False,
    "median_angle": False,
    "within_11_25": True,
    "within_22_5": True,
    "within_30": True,
    "depth_rmse": False,
    "depth_mae": False,
    "abs_rel": False,
    "delta1": True,
}
NAN = math.nan


def _metric(name: str, num_outputs: int) -> torchmetrics.Metric:
    return METRICS[name](Task(name="task", num_outputs=num_outputs, loss="mse", metrics=(name,)))


def test_every_metric_says_which_way_is_better() -> None:
    assert {name: _metric(name, 3).higher_is_better for name in METRICS} == HIGHER_IS_BETTER


def test_accuracy_and_f1_of_classes() -> None:
    outputs = torch.eye(3)[torch.tensor([0, 0, 1, 2, 2, 1])]
    labels = torch.tensor([0, 1, 1, 2, -1, 255])
    expected_f1 = (2 / 3 + 2 / 3 + 1) / 3
    for name, expected in [("accuracy", 3 / 4), ("f1", expected_f1)]:
        metric = _metric(name, 3)
        metric.update(outputs[:2], labels[:2])
        metric.update(outputs[2:], labels[2:])
        assert metric.compute().item() == pytest.approx(expected)


def test_accuracy_of_dense_labels_weighs_pixels_alike() -> None:
    outputs = torch.zeros(2, 3, 2, 2)
    outputs[:, 1] = 1
    labels = torch.tensor([[[1, 1], [1, 0]], [[255, 255], [-1, 2]]])
    metric = _metric("accuracy", 3)
    for row in range(2):
        metric.update(outputs[row : row + 1], labels[row : row + 1])
    assert metric.compute().item() == pytest.approx(3 / 5)


def test_binary_metrics_cut_at_logit_zero_even_if_all_outputs_look_like_probabilities() -> None:
    outputs = torch.tensor([[0.2, 0.4], [0.1, 0.9]])
    labels = torch.tensor([[1, 1], [255, 0]])
    for name, expected in [("binary_accuracy", 2 / 3), ("binary_f1", 4 / 5)]:
        for kind in (torch.int64, torch.float32):
            metric = _metric(name, 2)
            metric.update(outputs, labels.to(kind))
            assert metric.compute().item() == pytest.approx(expected)


def test_roc_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(400, 1, generator=generator) < 0.2).float()
    logits = 2 * torch.randn(400, 1, generator=generator) + labels - 3
    yes, no = logits[labels == 1], logits[labels == 0]
    labels[:5] = -1
    logits[:5] = 100
    metric = _metric("roc_auc", 1)
    metric.update(logits, labels)
    yes, no = logits[labels == 1], logits[labels == 0]
    exact = (yes[:, None] > no).double().mean().item()
    # Thresholds are 0.024 apart, and few pairs are closer.
    assert metric.compute().item() == pytest.approx(exact, abs=1e-3)
    assert 0.55 < exact < 0.8


def test_errors_are_pooled_over_entries_that_have_a_value() -> None:
    outputs = torch.tensor([[[[0.5, 0.0], [1.0, 1.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])
    labels = torch.tensor([[[[0.0, 0.0], [1.0, NAN]]], [[[NAN, NAN], [NAN, 1.0]]]])
    squared, absolute = (0.25 + 0 + 0 + 1) / 4, (0.5 + 0 + 0 + 1) / 4
    expected = {"rmse": math.sqrt(squared), "mae": absolute, "psnr": -10 * math.log10(squared)}
    for name, value in expected.items():
        metric = _metric(name, 1)
        for row in range(2):
            metric.update(outputs[row : row + 1], labels[row : row + 1])
        assert metric.compute().item() == pytest.approx(value)


CLASSES, FLAGS = ("accuracy", "f1", "mean_iou"), ("binary_accuracy", "binary_f1", "roc_auc", "max_mean_iou", "ods_f")


def _dense(name: str, num_samples: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Outputs, labels of the metric's kind, and labels that hold nothing."""
    generator = torch.Generator().manual_seed(seed)
    channels = 1 if name in FLAGS else 3
    outputs = torch.randn(num_samples, channels, 6, 7, generator=generator)
    if name in CLASSES:
        labels = torch.randint(3, (num_samples, 6, 7), generator=generator)
        return outputs, labels, torch.full_like(labels, 255)
    labels = torch.rand(outputs.shape, generator=generator) + 0.5
    if name in FLAGS:
        labels = (labels > 1).float()
        return outputs, labels, torch.full_like(labels, 255)
    return outputs, labels, torch.full_like(labels, NAN)


@pytest.mark.parametrize("name", METRICS)
def test_a_batch_without_values_changes_nothing(name: str) -> None:
    outputs, labels, nothing = _dense(name, 4)
    plain, interrupted = _metric(name, 3), _metric(name, 3)
    plain.update(outputs, labels)
    interrupted.update(outputs, nothing)
    interrupted.update(outputs, labels)
    interrupted.update(outputs[:0], labels[:0])
    assert plain.compute() == interrupted.compute()


@pytest.mark.parametrize("name", METRICS)
def test_how_samples_are_cut_into_batches_does_not_matter(name: str) -> None:
    outputs, labels, _ = _dense(name, 6)
    whole, parts = _metric(name, 3), _metric(name, 3)
    whole.update(outputs, labels)
    for rows in (slice(0, 1), slice(1, 4), slice(4, 6)):
        parts.update(outputs[rows], labels[rows])
    # Sums of float32 in another order.
    assert parts.compute().item() == pytest.approx(whole.compute().item(), rel=1e-5)
    assert whole.compute().isfinite()


@pytest.mark.parametrize("name", METRICS)
def test_no_metric_keeps_its_samples(name: str) -> None:
    metric = _metric(name, 3)
    sizes = set()
    for seed in range(3):
        outputs, labels, _ = _dense(name, 5, seed)
        metric.update(outputs, labels)
        states = metric.metric_state.values()
        assert all(isinstance(state, torch.Tensor) for state in states)
        sizes.add(sum(state.numel() for state in states))
    assert len(sizes) == 1
    metric.reset()
    fresh = _metric(name, 3)
    for one in (metric, fresh):
        one.update(outputs, labels)
    assert metric.compute() == fresh.compute()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", METRICS)
def test_a_gpu_counts_the_same(name: str) -> None:
    here, there = _metric(name, 3), _metric(name, 3).to("cuda")
    for seed in range(2):
        outputs, labels, _ = _dense(name, 4, seed)
        here.update(outputs, labels)
        there.update(outputs.cuda(), labels.cuda())
    # Sums of float32 in another order; a boundary may be thinned differently where interpolation rounds.
    assert there.compute().item() == pytest.approx(here.compute().item(), rel=1e-2 if name == "ods_f" else 1e-5)
