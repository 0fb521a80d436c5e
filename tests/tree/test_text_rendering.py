import numpy as np
import pytest
from hypothesis import given
from tree_strategies import trees, trees_with_tables

from nas.cost import format_quantity
from nas.errors import InputError
from nas.tree import BranchTree, CostTable, random_tree_shape, render_text

TASKS = ("semseg", "depth", "edge")


def test_a_tree_with_costs():
    block, head = {"macs": 100_000, "params": 7_000}, {"macs": 10_000, "params": 500}
    table = CostTable(head, (block,) * 4, dict.fromkeys(TASKS, head), ("conv1", "conv2", "conv3", "conv4"))
    tree = BranchTree.from_choices(TASKS, [[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 2]])
    assert render_text(tree, table, in_words=format_quantity) == "\n".join(
        [
            "stem                                  10 kMACs   500 params",
            "└─ conv1-conv2  semseg, depth, edge  200 kMACs  14 k params",
            "   ├─ conv3  semseg, edge            100 kMACs   7 k params",
            "   │  ├─ conv4  semseg               100 kMACs   7 k params",
            "   │  │  └─ head semseg               10 kMACs   500 params",
            "   │  └─ conv4  edge                 100 kMACs   7 k params",
            "   │     └─ head edge                 10 kMACs   500 params",
            "   └─ conv3-conv4  depth             200 kMACs  14 k params",
            "      └─ head depth                   10 kMACs   500 params",
            # 7 instances of blocks, a stem and 3 heads, against 12 blocks, 3 stems and 3 heads.
            "total                                740 kMACs  51 k params",
            "share of separate networks              58.7 %       58.6 %",
        ]
    )


def test_tasks_that_part_at_once_hang_on_the_stem():
    assert render_text(BranchTree.separate(["a", "b"], 2)) == "\n".join(
        ["stem", "├─ block0-block1  a", "│  └─ head a", "└─ block0-block1  b", "   └─ head b"]
    )


@given(trees_with_tables())
def test_every_node_is_one_line_and_lines_are_aligned(tree_and_table):
    tree, table = tree_and_table
    tree = tree.with_cost(table)
    lines = render_text(tree, table, in_words=format_quantity).splitlines()
    assert [line.split("head ")[1].split()[0] for line in lines if "─ head " in line] == sorted(
        tree.tasks, key=lambda task: next(i for i, line in enumerate(lines) if f"head {task} " in line)
    )
    runs = {
        (group, next(l for l, p in enumerate(tree.partitions) if group in p)) for p in tree.partitions for group in p
    }
    assert len(lines) == 1 + len(runs) + len(tree.tasks) + 2
    assert len({len(line) for line in lines}) == 1
    for resource in table.resources:
        assert format_quantity(tree.cost[resource], resource) in lines[-2]


@given(trees())
def test_without_costs_there_are_none(tree):
    text = render_text(tree)
    assert text.startswith("stem\n")
    assert "total" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_tree_that_carries_its_cost_shows_it():
    tree = BranchTree(("a",), ((("a",),),), cost={"macs": 2e9})
    assert render_text(tree, in_words=format_quantity).splitlines()[-1].split() == ["total", "2", "GMACs"]


def test_eight_tasks_on_eighteen_blocks_fit_a_terminal():
    rng = np.random.default_rng(0)
    tasks = ["semseg", "depth", "normals", "edge", "saliency", "human_parts", "keypoints", "reshading"]
    part = {"macs": 123_456_789, "params": 1_234_567}
    table = CostTable(part, (part,) * 18, dict.fromkeys(tasks, part), tuple(f"block{l}" for l in range(18)))
    for _ in range(50):
        lines = render_text(random_tree_shape(tasks, 18, rng), table).splitlines()
        # A stem, at most 2T - 1 runs of blocks, T heads, two lines of totals.
        assert len(lines) <= 1 + 15 + 8 + 2
        assert max(map(len, lines)) <= 110


def test_costs_of_nothing_have_no_share():
    nothing = {"macs": 0}
    table = CostTable(nothing, (nothing,), {"a": nothing}, ("block0",))
    assert render_text(BranchTree.shared(["a"], 1), table).splitlines()[-1].endswith("–")


def test_a_table_for_another_backbone_is_an_input_error():
    part = {"macs": 1}
    table = CostTable(part, (part,), {"a": part}, ("block0",))
    with pytest.raises(InputError, match="the tree has 2 blocks"):
        render_text(BranchTree.shared(["a"], 2), table)
