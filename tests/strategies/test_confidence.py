"""The probability that a tree beats the second-best one, against draws, and its grades."""

import math

import numpy as np
import pytest
from scipy import stats

from nas.strategies.confidence import confidence, grade
from nas.strategies.diagnosis import Diagnosis, MarginRecord


@pytest.mark.parametrize(("gap", "noise"), [(0.0, 0.1), (0.05, 0.1), (0.2, 0.1), (3.0, 2.0)])
def test_it_is_the_share_of_errors_that_leave_the_gap_above_zero(gap, noise):
    drawn = np.random.default_rng(0).normal(gap, noise, 40_000)
    # Four standard errors of a share among 40,000 are at most 0.01.
    assert confidence(gap, noise) == pytest.approx((drawn > 0).mean(), abs=0.01)


@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_a_noise_from_few_seeds_is_students(num_seeds):
    gaps = np.random.default_rng(num_seeds).normal(0.3, 1.0, num_seeds)
    gaps *= np.sign(gaps.mean())
    noise = gaps.std(ddof=1) / math.sqrt(num_seeds)
    one_sided = stats.ttest_1samp(gaps, 0.0, alternative="greater").pvalue
    # The same formula, in another order.
    assert confidence(gaps.mean(), noise, num_seeds - 1) == pytest.approx(1.0 - one_sided, abs=1e-9)
    assert confidence(gaps.mean(), noise, num_seeds - 1) < confidence(gaps.mean(), noise)


def test_ties_and_unknown_noise():
    assert confidence(0.0, 0.3) == confidence(0.0, 0.0) == confidence(0.0, 0.3, 1) == 0.5
    assert confidence(1e-9, 0.0) == 1.0
    assert confidence(0.4, None) is None


def test_grades():
    assert [grade(p) for p in (None, 0.5, 0.749, 0.75, 0.949, 0.95, 1.0)] == [
        *(None, "toss-up", "toss-up"),
        *("likely", "likely", "certain", "certain"),
    ]


def test_a_diagnosis_knows_the_confidence_within_each_budget():
    usual = {"tree": "ab", "runner_up": ((("a", "b"),),), "block": 0, "decision": "", "gap": 0.1}
    margins = (
        MarginRecord(budget=0.5, noise=0.1, **usual),
        MarginRecord(budget=None, noise=0.1, degrees=1, **usual),
        MarginRecord(budget=0.7, noise=None, **usual),
    )
    diagnosis = Diagnosis(margins=margins)
    assert diagnosis.confidence_within(0.5) == pytest.approx(0.8413, abs=1e-4)
    # Student's t with one degree of freedom: 1/2 + atan(1) / pi.
    assert diagnosis.confidence_within(None) == pytest.approx(0.75)
    assert diagnosis.confidence_within(0.7) is None
    assert diagnosis.confidence_within(0.9) is None
