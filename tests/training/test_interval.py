"""The interval of a mean over a few seeds, against scipy's own and against its promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nas.training import half_interval, standard_error

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8).filter(lambda values: np.std(values) > 1e-6)


@given(VALUES, st.sampled_from([0.9, 0.95]))
def test_it_is_the_interval_of_a_t_test(values, level):
    interval = stats.ttest_1samp(values, 0.0).confidence_interval(level)
    # Two formulas in double precision; deviations above 1e-6 of values below 1e3 lose at most six digits.
    assert half_interval(values, level) == pytest.approx((interval.high - interval.low) / 2, rel=1e-6)


@pytest.mark.parametrize("num_values", [2, 3, 5])
def test_it_covers_the_true_mean_as_often_as_it_says(num_values):
    draws = np.random.default_rng(0).normal(3.0, 2.0, (4000, num_values)).tolist()
    covered = np.mean([abs(np.mean(values) - 3.0) <= half_interval(values) for values in draws])
    # Four standard errors of a share of 0.95 among 4,000. Two standard errors would cover 0.70, 0.82 and 0.88.
    assert covered == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 4000))


def test_one_value_and_unknown_values_have_none():
    for values in ([], [1.0], [1.0, math.nan], [1.0, math.inf, 2.0]):
        assert half_interval(values) is None
        assert standard_error(values) is None
    assert standard_error([1.0, 3.0]) == 1.0
