"""What a measured search concludes: which of two trees is better, and by how much its errors are too small."""

import itertools

import pytest
import torch
from planted_sharing import planted

from nas.strategies.transfer import TransferModel
from nas.strategies.transfer.calibration import widening
from nas.strategies.transfer.findings import Contest, judge_gains


@pytest.fixture(scope="module")
def contest():
    _, trees, _, results_NT = planted(seed=3)
    return Contest(TransferModel.fit(trees, results_NT)), trees


def test_the_chance_of_the_better_tree_is_above_a_half_and_that_of_the_other_is_the_rest(contest):
    contest, trees = contest
    for tree, other in itertools.pairwise(trees):
        chance = contest.chance(tree, other)
        assert chance + contest.chance(other, tree) == pytest.approx(1.0)
        assert (chance > 0.5) == (contest.gain(tree)[0] > contest.gain(other)[0])
    assert contest.chance(trees[0], trees[0]) == 0.5


def test_the_verdict_names_gain_and_chance(contest):
    contest, trees = contest
    best = max(trees, key=lambda tree: contest.gain(tree)[0])
    (verdict,) = judge_gains(contest, best)
    assert f"{contest.gain(best)[0]:+.1f}" in verdict.text
    assert f"{contest.chance(best, contest.shared):.2f}" in verdict.text
    (shared,) = judge_gains(contest, contest.shared)
    assert "it is the fully shared tree" in shared.text


@pytest.mark.parametrize(("count", "factor"), [(6, 2.0**0.5), (12, (4 / 3) ** 0.5)])
def test_errors_widen_as_in_a_regression_with_three_parameters(count, factor):
    unit_NT = torch.ones(count, 2, dtype=torch.float64)
    assert widening(unit_NT).tolist() == pytest.approx([factor, factor])
    # Errors below one standard deviation do not make the intervals narrower.
    assert widening(0.1 * unit_NT).tolist() == [1.0, 1.0]
    # A task whose left-out results are missed widens more than the other one.
    missed_T = widening(unit_NT * torch.tensor([1.0, 3.0]))
    assert missed_T[1] > missed_T[0] > factor
