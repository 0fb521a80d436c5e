"""The transfer model: what it recovers from planted effects, how sure it says that it is, and what it refuses."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_sharing import error_of, planted, some_trees, task_names

from nas.errors import InputError
from nas.strategies.transfer import TransferModel
from nas.strategies.transfer.evidence import mean_of, result_covariance
from nas.strategies.transfer.preparation import (
    advice_of,
    log_lengths,
    scaled_results,
    search_numbers,
    trainings_of,
)
from nas.strategies.transfer.sharing import sharing_of
from nas.tree import BranchTree

TASKS = task_names(4)
BLOCKS = 3

SOLVER = 0.05
"""How much of a result's noise two fits of equal data may differ by: rounding sends L-BFGS, which stops at changes of
1e-4 of the log evidence, to slightly other scales."""


# What it learns


def test_planted_effects_are_recovered():
    effects_LTT, trees, _, results_NT = planted(seed=0, count=150, noise=0.1)
    model = TransferModel.fit(trees, results_NT)
    # The effects, of size 3, have errors of about the noise over the square root of the trees per effect.
    assert (model.effects_LTT - effects_LTT).abs().max() < 0.5
    assert (model.effects_LTT - effects_LTT).square().mean().sqrt() < 0.15
    off = ~torch.eye(4, dtype=torch.bool).expand(BLOCKS, 4, 4)
    assert (model.errors_LTT[off] > 0.0).all()
    assert not model.effects_LTT[~off].any()
    assert not model.errors_LTT[~off].any()


@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "heavy-tailed"])
def test_intervals_are_calibrated(heavy):
    """Of 2,400 results of new trees, 90 % are expected within the intervals of 90 %; 30 data sets of the model's kind
    leave a standard error of 1 %, so .85 to .95 are five of them."""
    hits, sure = [], []
    for seed in range(100, 130):
        _, trees, gains_NT, results_NT = planted(seed, count=44, heavy=heavy)
        model = TransferModel.fit(trees[:24], results_NT[:24])
        for (mean_NT, std_NT), truth_NT, found in (
            (model.predict(trees[24:]), results_NT, hits),
            (model.gains(trees[24:]), gains_NT, sure),
        ):
            found += ((torch.from_numpy(truth_NT[24:]) - mean_NT).abs() <= 1.645 * std_NT).flatten().tolist()
    assert 0.85 <= np.mean(hits) <= 0.95
    # The gains of one data set have a common error, that of the reference, so this share varies more: 2 %.
    assert 0.82 <= np.mean(sure) <= 0.98


def test_the_deviation_of_the_mean_gain_is_calibrated():
    scores = []
    for seed in range(200, 230):
        _, trees, gains_NT, results_NT = planted(seed)
        mean_N, covariance_NN = TransferModel.fit(trees, results_NT).mean_gains(trees)
        different = mean_N[:12] - mean_N[12:]
        variance = (
            covariance_NN.diagonal()[:12] + covariance_NN.diagonal()[12:] - 2.0 * covariance_NN[:12, 12:].diagonal()
        )
        truth_N = torch.from_numpy(gains_NT.mean(1))
        scores += ((different - truth_N[:12] + truth_N[12:]) / variance.clamp(min=1e-12).sqrt())[
            variance > 1e-9
        ].tolist()
    # Twelve pairs of 30 data sets; pairs of one data set share effects, so perhaps a third of them count: 5 %.
    assert 0.8 <= np.mean(np.abs(scores) <= 1.645) <= 1.0
    assert 0.7 <= np.std(scores) <= 1.25


def test_draws_have_the_mean_and_the_deviation_of_the_posterior():
    _, trees, _, results_NT = planted(seed=1)
    model = TransferModel.fit(trees, results_NT)
    generator = torch.Generator().manual_seed(0)
    draws_KLTT = torch.stack([model.sample(generator) for _ in range(2000)])
    off = ~torch.eye(4, dtype=torch.bool).expand(BLOCKS, 4, 4)
    # 36 numbers from 2,000 draws each: the mean has a standard error of 1/45 and the deviation of 1/63 of it.
    assert ((draws_KLTT.mean(0) - model.effects_LTT)[off] / model.errors_LTT[off]).abs().max() < 4.0 / 45.0
    assert (draws_KLTT.std(0)[off] / model.errors_LTT[off] - 1.0).abs().max() < 4.0 / 63.0


# What does not matter


def test_permuted_tasks_give_the_permuted_result():
    _, trees, _, results_NT = planted(seed=2)
    order = [2, 0, 3, 1]
    model = TransferModel.fit(trees, results_NT)
    other = TransferModel.fit(trees, results_NT[:, order], tasks=[TASKS[t] for t in order])
    torch.testing.assert_close(
        other.effects_LTT, model.effects_LTT[:, order][:, :, order], rtol=0.0, atol=SOLVER * float(model.noise_T.min())
    )
    torch.testing.assert_close(other.noise_T, model.noise_T[order], rtol=SOLVER, atol=0.0)


def test_the_reference_of_a_task_does_not_matter():
    _, trees, _, results_NT = planted(seed=3, count=14)
    lengths = [0.3] * 10 + [1.0] * 4
    model = TransferModel.fit(trees, results_NT, lengths_N=lengths)
    moved_NT = results_NT + np.array([1000.0, 0.0, -300.0, 50.0])
    moved_NT[:10] += [0.0, 200.0, 0.0, -7.0]
    other = TransferModel.fit(trees, moved_NT, lengths_N=lengths)
    torch.testing.assert_close(
        other.gains(trees)[0], model.gains(trees)[0], rtol=0.0, atol=SOLVER * float(model.noise_T.min())
    )
    shift_T = other.predict(trees)[0] - model.predict(trees)[0]
    torch.testing.assert_close(
        shift_T, torch.tensor([1000.0, 0.0, -300.0, 50.0]).double().expand(14, 4), rtol=0, atol=1
    )


def test_the_unit_of_the_results_does_not_matter():
    _, trees, _, results_NT = planted(seed=4)
    model, other = TransferModel.fit(trees, results_NT), TransferModel.fit(trees, results_NT * 1e-3)
    torch.testing.assert_close(
        other.effects_LTT * 1e3, model.effects_LTT, rtol=0.0, atol=SOLVER * float(model.noise_T.min())
    )


def test_equal_fits_are_equal():
    _, trees, _, results_NT = planted(seed=4)
    models = [TransferModel.fit(trees, results_NT) for _ in range(2)]
    assert torch.equal(models[0].mean_TD, models[1].mean_TD)
    assert torch.equal(models[0].covariance_TDD, models[1].covariance_TDD)


# The formulas


def test_the_posterior_equals_the_naive_formulas_of_gaussians():
    """Each result of a full or a short training, and each effect, in one joint covariance, conditioned by inversion."""
    _, trees, _, results_NT = planted(seed=5, count=10)
    single = BranchTree.shared(TASKS[:1], BLOCKS)
    trees, lengths = [*trees, *trees[:4], single], [0.3] * 10 + [1.0] * 5
    results_NT = np.vstack([results_NT, results_NT[:4] + 1.0, [[results_NT[0, 0], *[math.nan] * 3]]])
    prior = np.abs(np.random.default_rng(5).normal(size=(BLOCKS, 4, 4)))
    searches = [0] * 7 + [1] * 3 + [0] * 4 + [1]
    model = TransferModel.fit(trees, results_NT, tasks=TASKS, lengths_N=lengths, searches_N=searches, prior=prior)
    search_N = torch.tensor(searches)
    x_NTLT, log_length_N = sharing_of(trees, TASKS), log_lengths(lengths, 15)
    d_LTT = advice_of(prior, x_NTLT)
    scaled_NT, sd_T, mean_T = scaled_results(torch.from_numpy(results_NT), log_length_N, search_N)
    data = trainings_of(trees, x_NTLT, scaled_NT, d_LTT, log_length_N, search_N)
    covariance_TNN, prior_TDD = result_covariance(model.scales, data), model.scales.effects_prior(BLOCKS, d_LTT)
    centre_TN = mean_of(model.scales, data.advice_TN)
    wider_T = model.noise_T / (model.scales.noise * sd_T)
    for t in range(4):
        rows = [n for n in range(15) if math.isfinite(results_NT[n, t])]
        inverse_NN = torch.linalg.inv(covariance_TNN[t][rows][:, rows])
        alike, growth = model.scales.alike[t], model.scales.growth[t]
        cross_DN = torch.stack(
            [
                torch.cat(
                    [
                        prior_TDD[t, :-1, :-1]
                        @ x_NTLT[n, t].flatten()
                        * lengths[n] ** growth
                        * alike ** -log_length_N[n],
                        prior_TDD[t, -1:, -1] * (1.0 if lengths[n] == 1.0 and searches[n] == 0 else 0.5),
                    ]
                )
                for n in rows
            ],
            1,
        )
        before_D = torch.cat([-model.scales.slope[t] * d_LTT[:, t].flatten(), torch.zeros(1)])
        mean_D = before_D + cross_DN @ inverse_NN @ (scaled_NT[rows, t] - centre_TN[t, rows])
        mean_D = mean_D * sd_T[t]
        mean_D[-1] += mean_T[t]
        covariance_DD = (prior_TDD[t] - cross_DN @ inverse_NN @ cross_DN.T) * (sd_T[t] * wider_T[t]) ** 2
        # Covariances of 1e2 and a jitter of 1e-6 leave 1e-8 of double precision.
        torch.testing.assert_close(model.mean_TD[t], mean_D, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(model.covariance_TDD[t], covariance_DD, rtol=1e-6, atol=1e-5)


def test_left_out_errors_are_those_of_fits_without_the_result():
    """With the scales kept, each result is predicted from the others."""
    _, trees, _, results_NT = planted(seed=6, count=12)
    model = TransferModel.fit(trees, results_NT)
    x_NTLT, log_length_N = sharing_of(trees, TASKS), log_lengths(None, 12)
    d_LTT = advice_of(None, x_NTLT)
    search_N = search_numbers(None, 12)
    scaled_NT, _, _ = scaled_results(torch.from_numpy(results_NT), log_length_N, search_N)
    data = trainings_of(trees, x_NTLT, scaled_NT, d_LTT, log_length_N, search_N)
    covariance_TNN = result_covariance(model.scales, data)
    for n, t in ((0, 0), (5, 1), (11, 3)):
        rest = [m for m in range(12) if m != n]
        weights_N = torch.linalg.solve(covariance_TNN[t][rest][:, rest], covariance_TNN[t][rest, n])
        variance = covariance_TNN[t, n, n] - weights_N @ covariance_TNN[t][rest, n]
        expected = (scaled_NT[n, t] - weights_N @ scaled_NT[rest, t]) / variance.sqrt()
        torch.testing.assert_close(model.residuals_NT[n, t], expected, rtol=1e-6, atol=1e-6)


# Several searches


def test_what_a_search_adds_to_all_its_results_does_not_matter():
    """Two searches have other seeds and splits, so what a task reaches alone differs between them."""
    _, trees, gains_NT, results_NT = planted(seed=8, count=40)
    searches = [0, 1] * 20
    shifted_NT = results_NT + np.outer(searches, [300.0, -50.0, 7.0, 0.0])
    together = TransferModel.fit(trees, shifted_NT, searches_N=searches)
    plain = TransferModel.fit(trees, results_NT, searches_N=searches)
    torch.testing.assert_close(together.effects_LTT, plain.effects_LTT, rtol=0.0, atol=SOLVER * 2.0)
    assert error_of(together, trees, gains_NT) < 0.7 * error_of(TransferModel.fit(trees, shifted_NT), trees, gains_NT)


def test_a_second_search_with_the_same_trees_halves_the_variance_of_the_errors():
    errors = []
    for seed in range(400, 408):
        _, trees, gains_NT, results_NT = planted(seed, count=30, noise=4.0)
        again_NT = gains_NT + 4.0 * np.random.default_rng(seed).normal(size=gains_NT.shape) + 20.0
        both = TransferModel.fit(trees * 2, np.vstack([results_NT, again_NT]), searches_N=[0] * 30 + [1] * 30)
        one = TransferModel.fit(trees, results_NT)
        errors.append([error_of(one, trees, gains_NT) ** 2, error_of(both, trees, gains_NT) ** 2])
    one, both = np.mean(errors, axis=0)
    # The prior shrinks less with more data, so the ratio is above a half.
    assert 0.4 * one < both < 0.75 * one


def test_there_is_one_search_for_each_training():
    _, trees, _, results_NT = planted(seed=8, count=4)
    with pytest.raises(InputError, match="searches are 4 numbers, one for each training; found 3"):
        TransferModel.fit(trees, results_NT, searches_N=[0, 0, 1])


# Priors


def test_a_right_prior_helps_and_wrong_ones_do_no_lasting_harm():
    few, many = [], []
    for seed in range(300, 308):
        effects_LTT, trees, gains_NT, results_NT = planted(seed, count=50)
        rng = np.random.default_rng(seed)
        right = -effects_LTT.numpy()
        useless = rng.normal(size=right.shape)
        shuffled = rng.permuted(right.reshape(BLOCKS, -1), axis=1).reshape(right.shape)

        def error(count, prior, trees=trees, gains_NT=gains_NT, results_NT=results_NT):
            return error_of(TransferModel.fit(trees[:count], results_NT[:count], prior=prior), trees, gains_NT)

        few.append([error(8, prior) for prior in (None, right)])
        many.append([error(30, prior) for prior in (None, useless, shuffled, -right)])
    without, helped = np.mean(few, axis=0)
    assert helped < 0.85 * without
    # With 30 trainings no prior costs more than a tenth.
    without, *others = np.mean(many, axis=0)
    assert max(others) < 1.1 * without


# What it refuses, and what it bears


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"results_NT": [[0.0, 1.0]]}, r"2 trees and 2 tasks have the shape \[2, 2\]; found \[1, 2\]"),
        ({"results_NT": [0.0, 1.0]}, r"the shape \[2, 2\]; found \[2\]"),
        ({"results_NT": [[0.0, 1.0], [0.0]]}, r"results must be numbers of the shape \[2, 2\]"),
        ({"results_NT": [["a", 1.0], [0.0, 1.0]]}, "results must be numbers"),
        ({"results_NT": [[math.nan, 1.0], [math.inf, 2.0]]}, "tasks a have no finite result"),
        ({"lengths_N": [1.0]}, "lengths are 2 shares"),
        ({"lengths_N": [1.0, 0.0]}, "lengths are 2 shares"),
        ({"lengths_N": [1.0, 1.5]}, "lengths are 2 shares"),
        ({"lengths_N": [1.0, math.nan]}, "lengths are 2 shares"),
        ({"prior": np.zeros((1, 3, 3))}, r"prior must be finite numbers of the shape \[1, 2, 2\]; found \[1, 3, 3\]"),
        ({"prior": [[[0.0, math.nan], [0.0, 0.0]]]}, "prior must be finite"),
        ({"prior": [[[0.0], [0.0, 0.0]]]}, "prior must be numbers"),
        ({"trees": [], "results_NT": []}, "results of 0 trees"),
        ({"trees": [BranchTree.shared("ab", 1), BranchTree.shared("ab", 2)]}, "same number of blocks"),
        ({"trees": [BranchTree.shared("ab", 1), BranchTree.shared("ac", 1)]}, "tree 1 has no task b"),
        ({"trees": [BranchTree.shared("ab", 1), BranchTree.shared("a", 1)]}, "tree 1 has no task b"),
        ({"tasks": ["a", "c"]}, "tree 0 has no task c"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    right = {"trees": [BranchTree.shared("ab", 1), BranchTree.separate("ab", 1)], "results_NT": [[0.0, 1.0]] * 2}
    given_ = right | arguments
    trees, results = given_.pop("trees"), given_.pop("results_NT")
    with pytest.raises(InputError, match=words):
        TransferModel.fit(trees, results, **given_)


EXTREMES = st.sampled_from([0.0, 1.0, -1.0, 1e6, -1e6, 1e-9, 1e6 + 1e-3, 3.0, math.nan])


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_results_give_finite_gains(data):
    """Constant and missing ones, equal trees, one training, one task, sizes from 1e-9 to 1e6, unequal lengths."""
    num_tasks, count = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 6))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    trees = some_trees(rng, num_tasks, 2, count)
    trees = [data.draw(st.sampled_from(trees)) for _ in trees]
    results_NT = np.array([[data.draw(EXTREMES) for _ in range(num_tasks)] for _ in trees])
    results_NT[0] = np.nan_to_num(results_NT[0])
    lengths = [data.draw(st.sampled_from([1.0, 0.3, 1e-3])) for _ in trees]
    prior = data.draw(
        st.sampled_from([None, np.zeros((2, num_tasks, num_tasks)), rng.normal(size=(2, num_tasks, num_tasks))])
    )
    model = TransferModel.fit(trees, results_NT, tasks=task_names(num_tasks), lengths_N=lengths, prior=prior)
    for values in (*model.predict(trees), *model.gains(trees), *model.mean_gains(trees), model.effects_LTT):
        assert values.isfinite().all()
    assert model.errors_LTT.isfinite().all()
    assert model.unexplained_T.isfinite().all()
    assert model.sample(torch.Generator().manual_seed(0)).isfinite().all()
    separate = [BranchTree.separate(task_names(num_tasks), 2)]
    assert not model.gains(separate)[0].any()
    assert 0.0 <= model.correlation <= 0.95
