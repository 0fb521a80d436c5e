import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from nas.strategies.similarity.measures import (
    MEASURES,
    ROWS_PER_COMPONENT,
    dissimilarity,
    linear_cka,
    r_squared,
    rdm_correlation,
)

ROTATION_BLIND = ("r2", "cka")


def random_features(num_copies=3, num_rows=400, width=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num_copies, num_rows, width, generator=generator) * torch.linspace(1, 2, width)


def naive_r_squared(source, target):
    """By least squares, one target channel after another."""
    source, target = (x.double().numpy() - x.double().numpy().mean(axis=0) for x in (source, target))
    fitted = source @ np.linalg.lstsq(source, target, rcond=None)[0]
    return 1.0 - ((target - fitted) ** 2).sum() / (target**2).sum()


def naive_cka(a, b):
    """By the Gram matrices of the rows (Kornblith et al., eq. 2 and 3, with linear kernels)."""
    a, b = (x.double().numpy() for x in (a, b))
    centring = np.eye(len(a)) - 1.0 / len(a)
    k, l = (centring @ x @ x.T @ centring for x in (a, b))
    return (k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum())


def naive_rdm_correlation(a, b):
    upper = np.triu_indices(len(a), k=1)
    return spearmanr(*((1.0 - np.corrcoef(x.double().numpy()))[upper] for x in (a, b))).statistic


@pytest.mark.parametrize(
    ("measure", "naive"),
    [(r_squared, naive_r_squared), (linear_cka, naive_cka), (rdm_correlation, naive_rdm_correlation)],
)
def test_all_pairs_at_once_give_what_each_gives_alone(measure, naive):
    features_CNW = random_features(num_rows=100)
    features_CNW[1] = torch.tanh(features_CNW[0] @ random_features(1, 6, 6, seed=1)[0]) + 0.1 * features_CNW[1]
    expected = [[naive(source, target) for target in features_CNW] for source in features_CNW]
    # Features are single precision, all sums double: squares of singular values keep about 1e-12 of them.
    np.testing.assert_allclose(measure(features_CNW).numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_copy_is_alike_to_itself_whatever_the_scale_and_the_order_of_channels(measure):
    features = random_features(1)[0]
    copies = torch.stack([features, 3.0 * features, features[:, [3, 1, 5, 0, 4, 2]]])
    # 1e-6: the scaled copy's single-precision rounding.
    assert np.abs(dissimilarity(copies, measure)).max() < 1e-6


@pytest.mark.parametrize("measure", ROTATION_BLIND)
def test_orthogonal_maps_and_shifts_change_nothing(measure):
    features_CNW = random_features()
    rotation = torch.linalg.qr(random_features(1, 6, 6, seed=2)[0].double())[0]
    turned = features_CNW.clone()
    turned[1] = (features_CNW[1].double() @ rotation).float() + 5.0
    np.testing.assert_allclose(dissimilarity(turned, measure), dissimilarity(features_CNW, measure), atol=1e-6)


def test_any_invertible_map_keeps_the_subspace_which_r_squared_goes_by_and_cka_does_not():
    features = random_features(1)[0]
    mapped = features @ random_features(1, 6, 6, seed=3)[0]
    copies = torch.stack([features, mapped])
    assert dissimilarity(copies, "r2")[0, 1] == pytest.approx(0.0, abs=1e-6)
    assert dissimilarity(copies, "cka")[0, 1] > 0.05


def test_a_part_is_explained_by_the_whole_and_explains_its_share():
    whole = torch.linalg.qr(random_features(1)[0].double())[0]
    whole = torch.linalg.qr(whole - whole.mean(dim=0))[0]
    part = torch.cat([whole[:, :2], torch.zeros_like(whole[:, 2:])], dim=1)
    explained = r_squared(torch.stack([whole, part]))
    # Two of six directions of equal variance.
    np.testing.assert_allclose(explained.numpy(), [[1.0, 1.0], [2 / 6, 1.0]], atol=1e-9)


def test_independent_features_have_the_r_squared_of_chance():
    num_rows, width = 600, 6
    features_CNW = random_features(30, num_rows, width, seed=4)
    explained = r_squared(features_CNW)[~torch.eye(30, dtype=torch.bool)]
    # A direction in N - 1 dimensions has W / (N - 1) of its length in a random W-dimensional subspace, on average. Its
    # deviation is that of a beta distribution, about sqrt(2 W) / N = .006 a channel; 870 pairs of 6 channels, not all
    # independent, leave a mean within 1e-3 with many deviations to spare.
    assert explained.mean().item() == pytest.approx(width / (num_rows - 1), abs=1e-3)


def test_dead_and_repeated_channels_count_for_nothing():
    features_CNW = random_features()
    dead = torch.cat([features_CNW, torch.zeros(3, 400, 2), torch.full((3, 400, 1), 7.0)], dim=2)
    np.testing.assert_allclose(dissimilarity(dead, "r2"), dissimilarity(features_CNW, "r2"), atol=1e-9)
    repeated = torch.cat([features_CNW, features_CNW[:, :, :1] + 1.0], dim=2)
    explained, before = r_squared(repeated), r_squared(features_CNW)
    # The repeated channel weighs twice as a target; as a source it adds no direction, least of all one of rounding.
    assert torch.all(torch.diagonal(explained) > 1 - 1e-9)
    assert torch.abs(explained - before).max() < 0.02


@pytest.mark.parametrize("measure", MEASURES)
def test_constant_features_are_alike_to_each_other_and_to_nothing_else(measure):
    features_CNW = random_features(4)
    features_CNW[1], features_CNW[3] = 0.1, -2.0
    unlike = dissimilarity(features_CNW, measure)
    assert np.isfinite(unlike).all()
    assert unlike[1, 3] == 0.0
    np.testing.assert_allclose(unlike[[0, 2]][:, [1, 3]], 1.0)


def test_wide_features_are_cut_to_what_the_rows_can_tell():
    num_rows, width = 160, 200
    independent = random_features(2, num_rows, width)
    # Uncut, 200 directions would explain all of 160 rows.
    assert dissimilarity(independent, "r2")[0, 1] > 1 - 2 / ROWS_PER_COMPONENT
    low_rank = random_features(1, num_rows, 5)[0] @ random_features(2, 5, width, seed=5)
    # Both copies are linear in the same five numbers.
    assert dissimilarity(low_rank, "r2")[0, 1] < 1e-6


@pytest.mark.parametrize("measure", MEASURES)
def test_the_order_of_copies_does_not_matter(measure):
    features_CNW, order = random_features(4), [2, 0, 3, 1]
    np.testing.assert_allclose(
        dissimilarity(features_CNW[order], measure),
        dissimilarity(features_CNW, measure)[np.ix_(order, order)],
        atol=1e-12,
    )


def test_features_that_are_none_are_refused():
    with pytest.raises(ValueError, match="two rows"):
        dissimilarity(torch.ones(2, 1, 3), "r2")
    with pytest.raises(ValueError, match="finite"):
        dissimilarity(torch.full((2, 4, 3), torch.nan), "r2")
