"""What two tasks of a tree do to each other: sums that are the tree's, and sentences."""

import numpy as np
import pytest
from hypothesis import given
from measured_runs import BLOCKS, SEPARATE, SHARED, TASKS, TREE, measured
from tree_strategies import trees

from nas.strategies.transfer.exchange import Exchange
from nas.strategies.transfer.gains import PairEffects

MODEL, RECORD = measured()


def num_shared(tree, tasks):
    return sum(any(set(tasks) <= set(group) for group in partition) for partition in tree.partitions)


def exchange(tree, *tasks, effects=RECORD.pair_effects):
    return Exchange(effects, tree, tasks, num_shared(tree, tasks))


@given(trees(TASKS, 3))
def test_the_gains_from_all_partners_are_the_tasks_gain_in_the_tree(tree):
    means_NT, _ = MODEL.gains([tree])
    for t, task in enumerate(TASKS):
        partners = [other for other in TASKS if other != task]
        total = sum(exchange(tree, task, other).in_tree[0].mean for other in partners)
        assert total == pytest.approx(means_NT[0, t].item(), rel=1e-9, abs=1e-9)


def test_both_directions_are_swapped_with_the_tasks():
    one, other = exchange(TREE, "depth", "edge"), exchange(TREE, "edge", "depth")
    assert one.in_tree == other.in_tree[::-1]
    assert one.by_block == other.by_block[::-1]


# What depth and normals do to each other: +4 and -2 from block to block, with errors of 1 that are independent.
MEAN_LTT = np.zeros((3, 3, 3))
MEAN_LTT[:, 0, 1], MEAN_LTT[:, 1, 0] = (4.0, 4.0, -4.0), (-2.0, 0.5, 0.5)
PLAIN = PairEffects(TASKS, BLOCKS, MEAN_LTT, np.broadcast_to(np.eye(3), (3, 3, 3, 3)))


def test_tasks_that_share_all_blocks_alone():
    tree = TREE.from_choices(TASKS, [[0, 0, 1]] * 3)
    # Halves of the sums 4 and -1, with errors of half the root of 3; z is 4.6 and 1.2.
    assert exchange(tree, "depth", "normals", effects=PLAIN).sentence == (
        "sharing early to late with normals helps depth by 2.0 ± 0.9 % (certain); "
        "with depth it hurts normals by 0.5 ± 0.9 % (cannot be told from noise)"
    )


def test_larger_groups_have_a_line_of_their_own_and_the_other_blocks_have_one():
    tree = TREE.from_choices(TASKS, [[0, 0, 0], [0, 0, 1], [0, 1, 2]])
    # 4 / 3 + 4 / 2, and -2 / 3 + 0.5 / 2, with the error sqrt(1 / 9 + 1 / 4); z of the second is 0.69, so P is .756.
    assert exchange(tree, "depth", "normals", effects=PLAIN).sentence.splitlines() == [
        "sharing early to middle with normals helps depth by 4.0 ± 0.7 % (certain); "
        "with depth it hurts normals by 0.8 ± 0.7 % (likely)",
        "in this tree, in groups of up to 3 tasks, that is +3.3 ± 0.6 % for depth (certain) and "
        "-0.4 ± 0.6 % for normals (likely)",
        "also sharing late with normals would hurt depth by 2.0 ± 0.5 % (certain); "
        "with depth it would help normals by 0.2 ± 0.5 % (cannot be told from noise)",
    ]


def test_tasks_that_share_no_block():
    (line,) = exchange(SEPARATE, "depth", "normals", effects=PLAIN).sentence.splitlines()
    assert line.startswith("they share no block; sharing early to late with normals would help depth by 2.0 ± 0.9 %")


def test_the_summary_has_the_sums():
    found = exchange(SHARED, "depth", "normals", effects=PLAIN).summary
    assert found["shared"] == "3 of 3"
    assert found["first"].mean == pytest.approx(4 / 3)
    assert found["first"].std == pytest.approx(3**0.5 / 3)
    assert found["first, all"].mean == pytest.approx(2.0)
    apart = exchange(SEPARATE, "depth", "normals", effects=PLAIN).summary
    assert (apart["shared"], apart["first"], apart["second"]) == ("0 of 3", None, None)
    assert apart["second, all"].mean == pytest.approx(-0.5)
