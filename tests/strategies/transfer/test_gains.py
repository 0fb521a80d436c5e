"""Gains of tasks by sharing: the same numbers as the model, in words by one rule, and chances of several tasks."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured_runs import BLOCKS, TASKS, TREE, measured

from nas.strategies.transfer.gains import LEVELS, NOISE, Gain, chance_of_all, mean_gain
from nas.tree import BranchTree, enumerate_trees

MODEL, RECORD = measured()
EFFECTS = RECORD.pair_effects


@given(st.floats(-50, 50), st.floats(0.01, 20))
def test_the_word_is_that_of_the_probability_that_the_sign_is_right(mean, std):
    chance = NormalDist().cdf(abs(mean) / std)
    (word,) = (word for word, least in LEVELS.items() if least <= chance < ceilings()[word])
    assert Gain(mean, std).certainty == Gain(-mean, std).certainty == word


def ceilings():
    return dict(zip(LEVELS, [math.inf, *list(LEVELS.values())[:-1]], strict=True))


def test_without_an_error_only_zero_cannot_be_told_from_noise():
    assert Gain(1e-9, 0.0).certainty == "certain"
    assert Gain(0.0, 0.0).certainty == NOISE


@pytest.mark.parametrize("num_shared", [1, 2, 3])
def test_a_pair_gains_what_a_tree_in_which_only_it_shares_gains(num_shared):
    choices = [[0, 0, 1] if l < num_shared else [0, 1, 2] for l in range(3)]
    means_NT, errors_NT = MODEL.gains([BranchTree.from_choices(TASKS, choices)])
    for t, partner in ((0, "normals"), (1, "depth")):
        gain = EFFECTS.as_pair(TASKS[t], partner, range(num_shared))
        # Sums of a few doubles.
        assert gain.mean == pytest.approx(means_NT[0, t].item(), rel=1e-9, abs=1e-9)
        assert gain.std == pytest.approx(errors_NT[0, t].item(), rel=1e-9, abs=1e-9)


def test_the_errors_are_those_of_the_record():
    errors_LTT = np.array(RECORD.errors_LTT)
    for t, task in enumerate(TASKS):
        for s, partner in enumerate(TASKS):
            for l in range(len(BLOCKS)):
                if t != s:
                    weights = np.eye(len(BLOCKS))[l]
                    assert EFFECTS.gain(task, partner, weights).std == pytest.approx(errors_LTT[l, t, s], rel=1e-9)


def test_ranges_of_blocks_have_names():
    assert EFFECTS.range_name(range(1, 2)) == "middle"
    assert EFFECTS.range_name(range(0, 3)) == "early to late"


@pytest.mark.parametrize("tree", list(enumerate_trees(TASKS, 3))[::5])
def test_the_mean_over_the_tasks_is_the_models(tree):
    means_NT, errors_NT = MODEL.gains([tree])
    gains = [Gain(*pair) for pair in zip(means_NT[0].tolist(), errors_NT[0].tolist(), strict=True)]
    mean_N, covariance_NN = MODEL.mean_gains([tree])
    found = mean_gain(gains, MODEL.correlation)
    assert found.mean == pytest.approx(mean_N[0].item(), rel=1e-9, abs=1e-9)
    assert found.std**2 == pytest.approx(covariance_NN[0, 0].item(), rel=1e-6, abs=1e-12)


GAINS = [Gain(-1.0, 2.0), Gain(0.5, 1.0), Gain(-3.0, 1.5)]


def test_the_chance_of_one_task_is_the_normal_distributions():
    for correlation in (0.0, 0.5, 0.95):
        assert chance_of_all([GAINS[0]], correlation, -2.0) == pytest.approx(NormalDist().cdf(0.5), abs=1e-6)


def test_the_chance_of_independent_tasks_is_the_product():
    product = math.prod(NormalDist(*gain).cdf(4.0) for gain in [Gain(-gain.mean, gain.std) for gain in GAINS])
    assert chance_of_all(GAINS, 0.0, -4.0) == pytest.approx(product, abs=1e-6)


@pytest.mark.parametrize("correlation", [0.3, 0.9])
def test_the_chance_of_correlated_tasks_is_that_of_draws(correlation):
    rng, count = np.random.default_rng(1), 200_000
    mean_T, std_T = np.array(GAINS).T
    common_N1, own_NT = rng.standard_normal((count, 1)), rng.standard_normal((count, 3))
    draws_NT = mean_T + std_T * (correlation**0.5 * common_N1 + (1 - correlation) ** 0.5 * own_NT)
    share = (draws_NT >= -4.0).all(axis=1).mean()
    # Four standard errors of a share of so many draws.
    assert chance_of_all(GAINS, correlation, -4.0) == pytest.approx(share, abs=4 * 0.5 / count**0.5)


def test_known_gains_have_a_chance_of_one_or_zero():
    known = [Gain(1.0, 0.0), Gain(2.0, 0.0)]
    assert chance_of_all(known, 0.5, 0.5) == pytest.approx(1.0)
    assert chance_of_all(known, 0.5, 1.5) == pytest.approx(0.0)


def test_the_tree_of_the_record_is_read_by_its_id():
    means_NT, _ = MODEL.gains([TREE])
    assert [gain.mean for gain in RECORD.gains_of(TREE).values()] == means_NT[0].tolist()
    assert RECORD.gains_of(BranchTree.shared(TASKS, 2)) is None
