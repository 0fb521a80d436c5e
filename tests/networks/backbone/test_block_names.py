"""The names that a backbone gives its blocks, from the backbone to tables and trees."""

import pytest
from toys import IN_FEATURES, VectorBackbone, toy_tasks

from nas.cost import measure_costs
from nas.errors import InputError
from nas.networks.backbone import FrozenPrefix, block_names, check_backbone
from nas.tree import BranchTree

TASKS = toy_tasks(2)


class Named(VectorBackbone):
    block_names: object = ("early.0", "early.1", "late")


def test_a_backbone_without_names_has_numbered_blocks():
    assert block_names(VectorBackbone(3)) == ("block0", "block1", "block2")


def test_stated_names_are_those_of_tables_and_trees():
    assert block_names(Named(3)) == block_names(FrozenPrefix(Named(3), 1)) == ("early.0", "early.1", "late")
    table = measure_costs(Named(3), TASKS, (IN_FEATURES,)).table
    assert table.block_names == ("early.0", "early.1", "late")
    tree = BranchTree.separate([task.name for task in TASKS], 3)
    named = tree.with_cost(table)
    assert named.blocks == ("early.0", "early.1", "late")
    # Trees are compared, and fit a backbone, by the positions of their blocks.
    assert named == tree
    assert table.tree_cost(tree) == named.cost


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "b"), r"backbone Named: block_names must be a name for each of the 3 blocks; found \['a', 'b'\]"),
        ("abc", r"a name for each of the 3 blocks; found \['abc'\]"),
        (("a", "b", "a"), r"backbone Named: block_names: a block's name must occur once; found \['a'\]"),
        (("a", "b", ""), "block_names: a block's name must be printable text"),
        (("a", "b", 2), "block_names: a block's name must be printable text"),
    ],
)
def test_names_that_do_not_tell_blocks_apart_are_refused(monkeypatch, names, message):
    monkeypatch.setattr(Named, "block_names", names)
    with pytest.raises(InputError, match=message):
        check_backbone(Named(3), TASKS)
