"""What a curve answers."""

import math

import numpy as np
import pytest

from nas.discretize import Curve
from nas.errors import InputError
from nas.tree import CostTable


def curve(costs: list[float], values: list[float]) -> Curve:
    """Points whose trees share more or less of one block between three tasks."""
    tasks = ("a", "b", "c")
    table = CostTable({"macs": 0}, ({"macs": 1},), {task: {"macs": 0} for task in tasks}, ("only",))
    choices_KLT = np.array([[[0, k > 0, 2 * (k > 1)]] for k in range(len(costs))])
    return Curve(tasks, table, "macs", np.array(costs, float), np.array(values, float), choices_KLT, exact=True)


def test_within_is_the_last_point_that_fits():
    here = curve([10, 20, 30], [5, 3, 1])
    assert [here.within(budget).cost for budget in (10, 19.9, 20, 1e9)] == [10, 10, 20, 30]
    for too_small in (9.99, math.nan):
        with pytest.raises(InputError, match="cheapest costs 10"):
            here.within(too_small)


def test_points_carry_trees_with_costs():
    here = curve([1, 2, 3], [5, 3, 1])
    assert len(here) == 3
    assert [point.tree.num_groups for point in here] == [(1,), (2,), (3,)]
    assert here[1].tree.cost == {"macs": 2}
    assert here[1].tree.blocks == ("only",)


@pytest.mark.parametrize(
    ("costs", "values", "elbow"),
    [
        ([10], [1], 10),  # one point is its own elbow
        ([10, 20], [1, 0], 10),  # nothing below the chord: the cheaper end
        ([10, 20, 30], [9, 3, 1], 20),
        ([10, 11, 12, 30], [9, 5, 1, 0.9], 12),
        ([10, 20, 30], [9, 5, 1], 10),  # on the chord
        ([10, 20, 30], [9, 8, 1], 10),  # above the chord
        ([0, 1, 2, 4], [4, 2, 1, 0], 1),  # (1, 2) and (2, 1) are equally far below: the cheaper
        ([0, 0.1, 0.2, 0.4], [0.4, 0.2, 0.1, 0], 0.1),  # the same, where rounding says otherwise
    ],
)
def test_elbow(costs, values, elbow):
    assert curve(costs, values).elbow().cost == elbow


def test_elbow_does_not_depend_on_units():
    costs, values = [10.0, 11.0, 14.0, 30.0], [9.0, 5.0, 1.0, 0.9]
    here = curve(costs, values).elbow()
    there = curve([1e9 * cost + 7 for cost in costs], [1e-6 * value - 3 for value in values]).elbow()
    assert here.tree == there.tree
