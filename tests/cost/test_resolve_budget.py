"""Budgets: shares and absolute amounts, and what is refused."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.cost import resolve_budget, smallest_budget
from nas.errors import InputError
from nas.tree import BranchTree, CostTable

TABLE = CostTable(
    stem={"macs": 100, "ms": 0.1},
    blocks=({"macs": 1000, "ms": 0.3}, {"macs": 3000, "ms": 0.7}),
    heads={"a": {"macs": 10, "ms": 0.01}, "b": {"macs": 30, "ms": 0.02}},
    block_names=("x", "y"),
)
SEPARATE = 2 * 4100 + 40
SHARED = 4100 + 40


def test_a_share_is_of_complete_single_task_networks():
    assert resolve_budget(1.0, TABLE, "macs") == SEPARATE
    assert resolve_budget(1, TABLE, "macs") == SEPARATE
    assert resolve_budget(0.75, TABLE, "macs") == 0.75 * SEPARATE


def test_an_amount_above_one_is_absolute():
    assert resolve_budget(5000, TABLE, "macs") == 5000
    assert resolve_budget(1e12, TABLE, "macs") == 1e12
    assert resolve_budget(SHARED, TABLE, "macs") == SHARED == smallest_budget(TABLE, "macs")


@pytest.mark.parametrize("budget", [0.1, 0.5, SHARED - 1, 2])
def test_below_the_shared_network_the_message_names_a_budget_that_works(budget):
    with pytest.raises(InputError) as caught:
        resolve_budget(budget, TABLE, "macs")
    message = str(caught.value)
    assert "\n" not in message
    share, amount = re.search(r"smallest feasible budget is ([\d.]+) .* or (\d+) macs", message).groups()  # type: ignore[union-attr]
    shared = BranchTree.shared(("a", "b"), 2)
    for named in (float(share), float(amount)):
        assert resolve_budget(named, TABLE, "macs") >= TABLE.tree_cost(shared)["macs"]
    assert float(share) == pytest.approx(SHARED / SEPARATE, abs=1e-3)  # three decimals are printed


@given(st.floats(0.001, 1000), st.floats(0.001, 1000), st.integers(2, 9))
def test_the_exact_quotient_is_feasible(stem, block, num_tasks):
    table = CostTable(
        {"ms": stem}, ({"ms": block},) * 7, {f"t{i}": {"ms": 0.1} for i in range(num_tasks)}, tuple("abcdefg")
    )
    smallest = smallest_budget(table, "ms")
    budget = resolve_budget(smallest / table.separate_cost()["ms"], table, "ms")
    assert budget >= smallest
    assert math.isclose(budget, smallest, rel_tol=1e-12)


@pytest.mark.parametrize("value", [0, 0.0, -1, -0.5, math.nan, math.inf, "0.6", None, True, [0.5]])
def test_nonsense_is_refused(value):
    with pytest.raises(InputError, match="share in"):
        resolve_budget(value, TABLE, "macs")


def test_unknown_resources_are_refused():
    with pytest.raises(InputError, match="resource"):
        resolve_budget(0.5, TABLE, "flops")


def test_the_cheapest_tree_that_constraints_allow_takes_the_shared_ones_place():
    cheapest = BranchTree.from_choices(["a", "b"], [[0, 0], [0, 1]])
    smallest = SHARED + 3000
    assert resolve_budget(smallest, TABLE, "macs", cheapest=cheapest) == smallest
    assert resolve_budget(smallest / SEPARATE, TABLE, "macs", cheapest=cheapest) == smallest
    with pytest.raises(InputError, match=r"that keeps the constraints costs more.*is 0\.867 .*or 7140 macs"):
        resolve_budget(0.8, TABLE, "macs", cheapest=cheapest)
