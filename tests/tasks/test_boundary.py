"""The boundary F measure: thinning, matching, counting."""

import math

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import max_pool2d

from nas.tasks.metrics import BoundaryF
from nas.tasks.metrics.boundary import pair_up
from nas.tasks.metrics.ridges import ridges


def _naive_pairs(points: np.ndarray, others: np.ndarray, radius: float) -> int:
    """Size of a largest matching, by another library and a full table of distances."""
    graph = nx.Graph()
    left = [("point", i) for i in range(len(points))]
    graph.add_nodes_from(left)
    for i, point in enumerate(points):
        for j, other in enumerate(others):
            if math.dist(point, other) <= radius:
                graph.add_edge(("point", i), ("other", j))
    return len(nx.bipartite.hopcroft_karp_matching(graph, left)) // 2


@settings(deadline=None)
@given(
    seed=st.integers(0, 10**6),
    num_points=st.integers(0, 25),
    num_others=st.integers(0, 25),
    radius=st.sampled_from((0.5, 1.0, 1.5, 3.0)),
)
def test_one_matching_serves_all_thresholds(seed: int, num_points: int, num_others: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    cells = np.argwhere(np.ones((9, 9)))
    points, others = rng.permutation(cells)[:num_points], rng.permutation(cells)[:num_others]
    weights = rng.integers(1, 6, num_points)
    paired = pair_up(points, weights, others, radius)
    assert len(set(paired.tolist())) == len(paired)
    for least in range(1, 7):
        expected = _naive_pairs(points[weights >= least], others, radius)
        assert (weights[paired] >= least).sum() == expected


def _line(height: int, width: int, *columns: int) -> Tensor:
    """A map [1, 1, H, W] with 1 in some columns."""
    lines = torch.zeros(1, 1, height, width)
    lines[..., list(columns)] = 1
    return lines


def _f(*batches: tuple[Tensor, Tensor], tolerance: float) -> float:
    metric = BoundaryF(tolerance)
    for outputs, labels in batches:
        metric.update(outputs, labels)
    return metric.compute().item()


def test_f_by_hand() -> None:
    """Two true lines of 20 pixels; predicted are one at 2 pixels distance, surely, and one far away, less surely."""
    labels = _line(20, 40, 10, 30)
    likely, unlikely = _line(20, 40, 12), _line(20, 40, 20)
    outputs = 8 * likely + 2 * unlikely - 6  # sigmoid: .88 and .02
    diagonal = math.hypot(20, 40)
    # Within reach, the first line alone is best: 20 pairs of 20 predicted and 40 true.
    assert _f((outputs, labels), tolerance=2 / diagonal) == pytest.approx(2 * 20 / (20 + 40))
    assert _f((outputs, labels), tolerance=1.99 / diagonal) == 0
    # A second image, in which the unlikely line is right: counts are summed before the best threshold is looked for.
    other = (2 * _line(20, 40, 20) - 6, _line(20, 40, 20, 35))
    best = max(2 * 20 / (20 + 80), 2 * 40 / (60 + 80))
    assert _f((outputs, labels), other, tolerance=2 / diagonal) == pytest.approx(best)


def test_no_true_pixel_counts_twice() -> None:
    labels = _line(20, 40, 20)
    both = 12 * _line(20, 40, 18, 22) - 6
    # Two lines of 20 pixels, and 20 true ones between them.
    assert _f((both, labels), tolerance=2 / math.hypot(20, 40)) == pytest.approx(2 * 20 / (40 + 20))


def test_pixels_without_a_label_are_neither_predicted_nor_true() -> None:
    labels = _line(20, 40, 10, 30)
    outputs = 12 * _line(20, 40, 10, 20) - 6
    assert _f((outputs, labels), tolerance=0.01) == pytest.approx(2 * 20 / (40 + 40))
    labels[..., 15:] = 255
    assert _f((outputs, labels), tolerance=0.01) == 1


def test_a_pixel_counts_from_its_own_likelihood_down() -> None:
    metric = BoundaryF()
    metric.update(20 * _line(20, 40, 10) - 20, _line(20, 40, 10))
    # Logit 0 is one half, which is a threshold.
    assert metric.num_predicted.tolist() == metric.num_pairs.tolist() == [20] * 50 + [0] * 49


def test_nothing_predicted_is_0_and_nothing_true_no_value() -> None:
    nothing = torch.full((2, 1, 8, 8), -20.0)
    assert math.isnan(_f((nothing, torch.zeros(2, 1, 8, 8)), tolerance=0.01))
    assert _f((nothing, _line(8, 8, 3).repeat(2, 1, 1, 1)), tolerance=0.01) == 0


@settings(deadline=None)
@given(seed=st.integers(0, 10**6))
def test_truth_as_a_prediction_is_perfect(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(2, 1, 12, 15, generator=generator) < 0.2).float()
    labels[0, 0, 3] = 1
    assert _f((labels * 20 - 10, labels), tolerance=0.0075) == 1


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), tolerance=st.sampled_from((0.0075, 0.1)))
def test_f_equals_its_definition(seed: int, tolerance: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    outputs = 3 * torch.randn(2, 1, 9, 10, generator=generator)
    labels = (torch.rand(2, 1, 9, 10, generator=generator) < 0.2).float()
    labels[torch.rand(2, 1, 9, 10, generator=generator) < 0.1] = 255
    thinned = ridges(outputs).numpy() & (labels.numpy() != 255)
    likely = outputs.sigmoid().numpy()
    radius = tolerance * math.hypot(9, 10)
    ratios = []
    for threshold in np.arange(5, 100, 10) / 100:
        pairs = predicted = true = 0
        for i in range(2):
            found = np.argwhere(thinned[i, 0] & (likely[i, 0] >= threshold))
            others = np.argwhere(labels[i, 0].numpy() == 1)
            pairs, predicted, true = (
                pairs + _naive_pairs(found, others, radius),
                predicted + len(found),
                true + len(others),
            )
        ratios.append(2 * pairs / max(predicted + true, 1))
    metric = BoundaryF(tolerance)
    metric.update(outputs, labels)
    every = (2 * metric.num_pairs / (metric.num_predicted + metric.num_true).clamp(min=1)).tolist()
    assert every[4::10] == pytest.approx(ratios)
    assert metric.compute().item() == pytest.approx(max(every))


@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_a_soft_line_is_thinned_to_its_middle(degrees: int) -> None:
    turn = math.radians(degrees)
    y, x = torch.arange(41.0)[:, None] - 20.3, torch.arange(41.0) - 19.8
    off = x * math.sin(turn) - y * math.cos(turn)
    kept = ridges(8 * torch.exp(-off.square() / 8)[None, None] - 4)[0, 0] & (off.abs() < 5)
    inner = torch.zeros_like(kept)
    inner[2:-2, 2:-2] = True
    # What is kept is not below its neighbours across the line, hence within half a pixel of the middle; interpolating
    # between pixels and rounding directions blurs that by a quarter.
    assert off[kept & inner].abs().max() < 0.75
    assert kept[(off.abs() < 0.35) & inner].all()
    # So it is about one pixel wide, measured across.
    assert kept[inner].sum() < 1.6 * 37 / max(abs(math.sin(turn)), abs(math.cos(turn)))


def test_a_thick_line_counts_as_a_line_if_it_has_a_middle() -> None:
    labels = _line(40, 60, 30)
    thick = 8 - 2 * (torch.arange(60.0) - 30).abs().expand(1, 1, 40, 60)
    assert _f((thick, labels), tolerance=0.0075) == 1
    flat = 16 * max_pool2d(labels, 3, stride=1, padding=1) - 8
    # Three pixels wide, of which none is above the others.
    assert _f((flat, labels), tolerance=0.0075) == pytest.approx(2 * 40 / (120 + 40))
