import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree_strategies import NAMES, tables, trees, trees_with_tables

from nas.errors import InputError
from nas.tree import BranchTree, CostTable

TASKS = NAMES[:2]


def table(**fields):
    valid = {
        "stem": {"macs": 1},
        "blocks": ({"macs": 10}, {"macs": 100}),
        "heads": {"semseg": {"macs": 1000}, "depth": {"macs": 2000}},
        "block_names": ("first", "second"),
    }
    return CostTable(**{**valid, **fields})


def test_costs_of_known_trees():
    assert table().tree_cost(BranchTree.shared(TASKS, 2)) == {"macs": 1 + 10 + 100 + 3000}
    assert table().tree_cost(BranchTree.from_choices(TASKS, [[0, 0], [0, 1]])) == {"macs": 1 + 10 + 200 + 3000}
    assert table().tree_cost(BranchTree.shared(["depth"], 2)) == {"macs": 1 + 10 + 100 + 2000}
    assert table().single_task_cost("semseg") == {"macs": 1 + 10 + 100 + 1000}
    assert table().separate_cost() == {"macs": 2 * (1 + 10 + 100) + 3000}
    assert table().separate_cost(["depth"]) == {"macs": 1 + 10 + 100 + 2000}


@given(trees_with_tables())
def test_separate_networks_cost_the_separate_tree_and_the_other_stems(tree_and_table):
    tree, costs = tree_and_table
    separate = costs.tree_cost(BranchTree.separate(tree.tasks, len(tree.partitions)))
    for resource in costs.resources:
        stems = (len(tree.tasks) - 1) * costs.stem[resource]
        assert costs.separate_cost(tree.tasks)[resource] == separate[resource] + stems
        assert costs.tree_cost(tree)[resource] <= separate[resource]


@given(st.data())
def test_totals_of_many_trees_at_once_are_bitwise_those_one_by_one(data):
    costs = data.draw(tables(NAMES[:3], 4, st.floats(0, 1e6)))
    several = [data.draw(trees(NAMES[:3], 4)) for _ in range(3)]
    columns = np.array([tree.num_groups for tree in several]).T
    totals = costs.total("macs", columns, NAMES[:3])
    assert totals.tolist() == [costs.tree_cost(tree)["macs"] for tree in several]


@given(trees_with_tables())
def test_record_round_trip(tree_and_table):
    _, costs = tree_and_table
    assert CostTable.from_dict(json.loads(json.dumps(costs.to_dict()))) == costs


def test_amounts_become_plain_numbers():
    stem = table(stem={"macs": np.int64(3)}).stem["macs"]
    assert type(stem) is int
    assert type(table(stem={"macs": np.float32(0.5)}).stem["macs"]) is float


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stem": {"macs": -1}}, "stem in macs must be a finite number >= 0; found -1"),
        ({"stem": {"macs": float("inf")}}, "stem in macs"),
        ({"stem": {"macs": None}}, "stem in macs"),
        ({"stem": 5}, "stem must map each resource to a number; found 5"),
        ({"stem": {"macs": 1, "params": 1}}, "'first' is in \\['macs'\\], the cost of the stem in"),
        ({"heads": {"semseg": {"ms": 1}}}, "'semseg' is in \\['ms'\\]"),
        ({"blocks": ({"macs": 10}, {"macs": float("nan")})}, "block 'second' in macs"),
        ({"block_names": ("first",)}, "one distinct name per block"),
        ({"block_names": ("first", "first")}, "one distinct name per block"),
        ({"blocks": (), "block_names": ()}, "one distinct name per block"),
    ],
)
def test_what_is_no_cost_table_is_an_input_error(fields, message):
    with pytest.raises(InputError, match=message):
        table(**fields)


@pytest.mark.parametrize(
    "record",
    [{}, {"stem": {}}, [], None, {**table().to_dict(), "blocks": [{"macs": 1}]}, {**table().to_dict(), "blocks": "ab"}]
    + [{**table().to_dict(), field: 3} for field in ("stem", "blocks", "heads")],
)
def test_a_malformed_record_is_an_input_error(record):
    with pytest.raises(InputError):
        CostTable.from_dict(record)


def test_a_tree_for_another_backbone_is_an_input_error():
    with pytest.raises(InputError, match="the tree has 3 blocks, the backbone's cost table 2"):
        BranchTree.shared(TASKS, 3).with_cost(table())
    with pytest.raises(InputError, match="no heads for the tasks \\['edge'\\]; it has \\['semseg', 'depth'\\]"):
        BranchTree.shared(["depth", "edge"], 2).with_cost(table())
    with pytest.raises(InputError, match="no heads"):
        table().single_task_cost("edge")
