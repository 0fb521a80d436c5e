"""The tool on a table whose gains are exactly those of pairs."""

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from published_groupings import Table, choice_row, correlation_row, standley

PAIR_TT = np.array([[0.0, 6.0, -4.0], [2.0, 0.0, 1.0], [-8.0, 3.0, 0.0]])
GROUPS = np.array(list(product([False, True], repeat=3)))[1:]


def table():
    gain_GT = np.zeros((len(GROUPS), 3))
    for g, group in enumerate(GROUPS):
        for t in np.flatnonzero(group):
            others = [s for s in np.flatnonzero(group) if s != t]
            gain_GT[g, t] = PAIR_TT[t, others].mean() if others else 0.0
    return Table("made", GROUPS, gain_GT)


def test_the_mean_predicts_gains_that_are_means():
    np.testing.assert_allclose(table().predictions()["mean"], table().gain_GT.sum(axis=1))
    np.testing.assert_array_equal(table().pair_TT, PAIR_TT)
    # One group has three tasks: its gain, 0, is predicted as 0 by all three.
    assert correlation_row(table()).startswith("| made | 3 | 1 | nan (0.0) | nan (0.0) | nan (0.0) |")


def test_the_choice_is_measured_beside_the_best_the_single_group_and_all():
    # Tasks 0 and 1 together gain 8, all together 0; the groupings with two groups gain 8, -12 and 4.
    assert choice_row(table(), 2) == "| made | 2 | 8.0 | 8.0 | 8.0 | 8.0 | 0.0 | 0.0 |"


def test_losses_become_gains_over_the_network_of_full_size(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("cost,a,b\n0.5,9,\n1,2,\n1,,4\n1,1,5\n")
    read = standley(path)
    assert read.gain_GT.tolist() == [[0.0, 0.0], [0.0, 0.0], [50.0, -25.0]]
    assert read.pair_TT.tolist() == [[0.0, 50.0], [-25.0, 0.0]]


@pytest.mark.parametrize("most", [1, 3])
def test_fewer_groups_than_are_best_are_possible(most):
    assert choice_row(table(), most).split(" | ")[2] == {1: "0.0", 3: "8.0"}[most]
