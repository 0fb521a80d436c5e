import json
from dataclasses import replace
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree_strategies import NAMES, choices, trees, trees_with_tables

from nas.errors import InputError
from nas.tree import BranchTree, CostTable

TASKS = ("semseg", "depth", "edge")


def assert_canonical(tree):
    position = {task: i for i, task in enumerate(tree.tasks)}
    for partition in tree.partitions:
        indices = [[position[task] for task in group] for group in partition]
        assert all(group == sorted(group) and group for group in indices)
        assert indices == sorted(indices)
        assert sorted(i for group in indices for i in group) == list(range(len(tree.tasks)))


def assert_refines(tree):
    for coarse, fine in zip(tree.partitions, tree.partitions[1:], strict=False):
        assert all(any(set(group) <= set(parent) for parent in coarse) for group in fine)


@given(trees())
def test_a_tree_is_canonical_and_refines(tree):
    assert_canonical(tree)
    assert_refines(tree)


@given(trees(), st.data())
def test_order_of_groups_and_members_does_not_count(tree, data):
    shuffled = [
        data.draw(st.permutations([data.draw(st.permutations(group)) for group in partition]))
        for partition in tree.partitions
    ]
    again = BranchTree(tree.tasks, shuffled)
    assert again.partitions == tree.partitions


@given(trees_with_tables(), st.data())
def test_identity_ignores_order_of_tasks_names_of_blocks_and_costs(tree_and_table, data):
    tree, table = tree_and_table
    other = BranchTree(data.draw(st.permutations(tree.tasks)), tree.partitions).with_cost(table)
    assert other.blocks != tree.blocks
    assert other.cost != tree.cost
    assert other == tree
    assert hash(other) == hash(tree)
    assert other.id == tree.id


@given(trees(tasks=NAMES[:3], num_blocks=3), trees(tasks=NAMES[:3], num_blocks=3))
def test_equal_iff_every_pair_shares_the_same_blocks(a, b):
    def sharing(tree):
        return [
            any(s in group and t in group for group in partition)
            for partition in tree.partitions
            for s, t in combinations(NAMES[:3], 2)
        ]

    assert (a == b) == (sharing(a) == sharing(b))
    assert (a.id == b.id) == (a == b)


def test_trees_differ_by_tasks_and_from_other_things():
    assert BranchTree.shared(["a", "b"], 2) != BranchTree.shared(["a", "c"], 2)
    assert BranchTree.shared(["a", "b"], 2) != BranchTree.shared(["a", "b"], 3)
    assert BranchTree.shared(["a"], 1) != "tree"


@given(trees())
def test_from_choices_inverts_choices(tree):
    assert BranchTree.from_choices(tree.tasks, tree.choices_LT) == tree
    assert BranchTree.from_choices(tree.tasks, np.array(tree.choices_LT)) == tree


@given(choices(4, 4))
def test_choices_agree_up_to_a_block_iff_the_tasks_share_it(choices_LT):
    tree = BranchTree.from_choices(NAMES[:4], choices_LT)
    for l, partition in enumerate(tree.partitions):
        for s, t in combinations(range(4), 2):
            together = any({NAMES[s], NAMES[t]} <= set(group) for group in partition)
            assert together == all(row[s] == row[t] for row in choices_LT[: l + 1])


@given(choices(4, 3), st.permutations(range(4)))
def test_permuting_the_tasks_permutes_the_tree(choices_LT, order):
    permuted = BranchTree.from_choices([NAMES[i] for i in order], [[row[i] for i in order] for row in choices_LT])
    assert permuted == BranchTree.from_choices(NAMES[:4], choices_LT)


def test_choices_are_integers():
    with pytest.raises(TypeError):
        BranchTree.from_choices(["a", "b"], [[0.0, 0.7]])
    with pytest.raises(InputError, match="block 1 has 1 choices for 2 tasks"):
        BranchTree.from_choices(["a", "b"], [[0, 1], [0]])


@given(trees_with_tables())
def test_graph_is_an_arborescence_whose_costs_sum_to_the_trees(tree_and_table):
    tree, table = tree_and_table
    tree = tree.with_cost(table)
    graph = tree.graph(table)
    assert nx.is_arborescence(graph)
    assert [node for node in graph if graph.in_degree(node) == 0] == ["stem"]
    assert {node[1] for node in graph if graph.out_degree(node) == 0} == set(tree.tasks)
    for resource in table.resources:
        assert sum(cost for _, cost in graph.nodes(data=resource)) == tree.cost[resource]
    for node, kind in graph.nodes(data="kind"):
        heads = {head[1] for head in nx.descendants(graph, node) | {node} if graph.nodes[head]["kind"] == "head"}
        assert heads == set(graph.nodes[node]["tasks"]), (node, kind)


@given(trees(), st.data())
def test_a_restricted_tree_shares_what_the_tree_shares(tree, data):
    kept = data.draw(st.lists(st.sampled_from(tree.tasks), min_size=1, unique=True))
    part = tree.restricted_to(kept)
    assert part.tasks == tuple(kept)
    columns = [tree.tasks.index(task) for task in kept]
    assert part == BranchTree.from_choices(kept, [[row[i] for i in columns] for row in tree.choices_LT])


def test_restricting_to_unknown_tasks_is_an_input_error():
    with pytest.raises(InputError, match="no task 'pose'"):
        BranchTree.shared(TASKS, 2).restricted_to(["depth", "pose"])


def test_parent_group():
    tree = BranchTree.from_choices(TASKS, [[0, 0, 1], [0, 1, 1]])
    assert tree.parent_group(0, ("edge",)) is None
    assert tree.parent_group(1, ("depth",)) == ("semseg", "depth")


def test_shared_and_separate_are_the_extremes():
    assert BranchTree.shared(TASKS, 2).num_groups == (1, 1)
    assert BranchTree.separate(TASKS, 2).num_groups == (3, 3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tasks": ()}, "at least one task"),
        ({"tasks": ("a", "a", "b")}, "'a'.*more than once"),
        ({"tasks": ("a", "")}, "printable text; found \\[''\\]"),
        ({"tasks": ("a", 3)}, "printable text; found \\[3\\]"),
        ({"tasks": ("a", ["b"])}, "printable text"),
        ({"tasks": ("a", "b\nc")}, "printable text"),
        ({"tasks": ("a", "\ud800")}, "printable text"),
        ({"partitions": ()}, "at least one block"),
        ({"partitions": ((("a", "b"),), (("a", "b", "c"),))}, "block 'block1' names unknown tasks \\['c'\\]"),
        ({"partitions": ((("a", "b"),), (("a",),))}, "block 'block1' leaves out the tasks \\['b'\\]"),
        ({"partitions": ((("a", "b"), ("a",)),)}, "block 'block0' has the tasks \\['a'\\] more than once"),
        ({"partitions": ((("a", "b", "a"),),)}, "block 'block0' has the tasks \\['a'\\] more than once"),
        ({"partitions": ((("a", "b"), ()),)}, "block 'block0' has an empty group"),
        ({"partitions": ((("a",), ("b",)), (("a", "b"),))}, "block 'block1' joins .* which block 'block0' has split"),
        ({"blocks": ("x",)}, "one name per block"),
        ({"blocks": ("x", "x")}, "'x'.*more than once"),
        ({"blocks": ("x", "y\x1b[2J")}, "printable text"),
        ({"cost": {"macs": float("nan")}}, "cost in macs must be a finite number"),
        ({"cost": {"macs": -1}}, "cost in macs must be a finite number"),
    ],
)
def test_what_is_no_tree_is_an_input_error(fields, message):
    valid = {"tasks": ("a", "b"), "partitions": ((("a", "b"),), (("a",), ("b",)))}
    BranchTree(**valid)
    with pytest.raises(InputError, match=message) as raised:
        BranchTree(**{**valid, **fields})
    assert "\n" not in str(raised.value)


def test_with_cost_takes_the_tables_names():
    part = {"macs": 7}
    table = CostTable(part, (part, part), dict.fromkeys(TASKS, part), ("conv", "pool"))
    tree = BranchTree.shared(TASKS, 2)
    costed = tree.with_cost(table)
    assert costed.blocks == ("conv", "pool")
    assert costed.cost == {"macs": 7 * (1 + 2 + 3)}
    assert replace(costed, cost=None) == tree


@given(trees_with_tables(), st.booleans())
def test_record_round_trip(tree_and_table, with_cost):
    tree, table = tree_and_table
    tree = tree.with_cost(table) if with_cost else tree
    again = BranchTree.from_dict(json.loads(json.dumps(tree.to_dict())))
    assert (again.tasks, again.partitions, again.blocks, again.cost) == (
        tree.tasks,
        tree.partitions,
        tree.blocks,
        tree.cost,
    )


ARBITRARY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def slots(value, path=()):
    """Every place in nested plain data."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from slots(inner, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def test_a_huge_value_makes_no_huge_message():
    huge = 10**390
    deep = [{str(i): {str(j): [huge] * 9 for j in range(9)} for i in range(9)}] * 9
    for value in (deep, deep[0], [[[huge] * 9] * 9] * 9):
        with pytest.raises(InputError) as raised:
            BranchTree.from_dict({"schema_version": value})
        assert len(str(raised.value)) < 1000


@given(trees_with_tables(), st.data())
def test_a_mutated_record_is_a_valid_tree_or_an_input_error(tree_and_table, data):
    tree, table = tree_and_table
    record = tree.with_cost(table).to_dict()
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(slots(record))))
        record = replaced(record, path, data.draw(ARBITRARY_JSON | st.sampled_from([*NAMES, [*NAMES], [[]], 1, True])))
        if not isinstance(record, dict):
            break
    told = None
    try:
        mutant = BranchTree.from_dict(record)
    except InputError as error:
        told = str(error)
    if told is None:
        assert_canonical(mutant)
        assert_refines(mutant)
        json.dumps(mutant.to_dict(), allow_nan=False)
    else:
        assert "\n" not in told
        assert len(told) < 1000


@given(ARBITRARY_JSON)
def test_arbitrary_json_is_an_input_error(record):
    with pytest.raises(InputError) as raised:
        BranchTree.from_dict(record)
    assert "\n" not in str(raised.value)


VALID = {"schema_version": 1, "tasks": ["a", "b"], "partitions": [[["a"], ["b"]]]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schema_version": 2}, "schema_version must be 1; found 2"),
        ({"schema_version": True}, "schema_version must be 1; found True"),
        ({"schema_version": 1.0}, "schema_version must be 1; found 1.0"),
        ({"schema_version": "a\nb"}, "schema_version"),
        ({"tasks": None}, "tasks must be a list of strings; found None"),
        ({"tasks": "ab"}, "tasks must be a list of strings; found 'ab'"),
        ({"blocks": "x"}, "blocks must be a list"),
        ({"partitions": {}}, "partitions must be a list of groups per block"),
        ({"partitions": [["ab"]]}, "partitions\\[0\\]\\[0\\] must be a list of strings"),
        ({"cost": [1]}, "cost must map"),
        ({"cost": {"macs": "1"}}, "cost in macs"),
        ({"cost": {"macs": True}}, "cost in macs"),
        ({"cost": {"macs": 10**400}}, "cost in macs"),
        ({"cost": {"a\nb": 1}}, "cost must map"),
        ({"color": "red"}, "unknown fields \\['color'\\]"),
        ({7: "red"}, "unknown fields \\[7\\]"),
        ({"tasks": [str(i) for i in range(1024)]}, "names unknown tasks"),
    ],
)
def test_malformed_records_are_told_in_one_short_line(fields, message):
    BranchTree.from_dict(VALID)
    with pytest.raises(InputError, match=message) as raised:
        BranchTree.from_dict({**VALID, **fields})
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize("field", ["schema_version", "tasks", "partitions"])
def test_a_missing_field_is_an_input_error(field):
    with pytest.raises(InputError, match=field):
        BranchTree.from_dict({key: value for key, value in VALID.items() if key != field})


def test_a_record_without_blocks_and_cost_is_complete():
    tree = BranchTree.from_dict(VALID)
    assert tree.blocks == ("block0",)
    assert tree.cost is None
