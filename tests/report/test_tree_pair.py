"""Two trees in one picture: aligned, with the difference marked, and in words."""

from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.patches import PathPatch
from tree_strategies import trees

from nas.report import draw_tree_pair
from nas.report.layout import aligned, lay_out
from nas.report.theme import DARK, LIGHT
from nas.tree import BranchTree, CostTable, describe_difference

TASKS = ("left", "right", "mean")
LATE = BranchTree.from_choices(TASKS, [[0, 0, 0], [0, 0, 0], [0, 0, 1]])
EARLY = BranchTree.from_choices(TASKS, [[0, 0, 0], [0, 0, 1], [0, 0, 1]])
TABLE = CostTable(
    {"macs": 5},
    ({"macs": 10}, {"macs": 20}, {"macs": 10}),
    {task: {"macs": 3} for task in ("other", *TASKS)},
    LATE.blocks,
)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def patches(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]


def test_only_the_difference_is_marked():
    figure = draw_tree_pair(LATE, EARLY, TABLE)
    # At the second block: one group of three in the first tree, two groups in the second.
    assert sum(patch.get_linewidth() == 1.3 for patch in patches(figure)) == 3
    assert sum(to_hex(patch.get_facecolor()) == LIGHT.pale.lower() for patch in patches(figure)) == 2
    same = draw_tree_pair(LATE, LATE, TABLE)
    assert not any(patch.get_linewidth() == 1.3 for patch in patches(same))
    assert not any(to_hex(patch.get_facecolor()) == LIGHT.pale.lower() for patch in patches(same))


def test_the_difference_in_words_names_the_trees():
    assert describe_difference(LATE, EARLY)[0] in texts(
        draw_tree_pair(LATE, EARLY, names=("the first tree", "the second"))
    )
    named = texts(draw_tree_pair(LATE, EARLY, TABLE, names=("3fa2", "shared")))
    assert "left and right part from mean at block2 in 3fa2, at block1 in shared" in named
    assert {"3fa2", "shared"} <= set(named)
    assert "a and b are the same tree" in texts(draw_tree_pair(LATE, LATE, names=("a", "b")))


def test_a_dark_picture_has_dark_ground():
    assert to_hex(draw_tree_pair(LATE, EARLY, theme="dark").get_facecolor()) == DARK.ground.lower()


@given(trees(), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_aligned_columns_begin_together_and_keep_their_boxes(a, random):
    choices = [[random.randrange(3) for _ in a.tasks] for _ in a.blocks]
    b = BranchTree.from_choices(a.tasks, choices)
    before = [lay_out(tree) for tree in (a, b)]
    after = aligned(before)
    assert [left for left, _ in after[0].spans] == [left for left, _ in after[1].spans]
    for old, new in zip(before, after, strict=True):
        assert [(box.tasks, box.y, box.length, box.height) for box in old.boxes] == [
            (box.tasks, box.y, box.length, box.height) for box in new.boxes
        ]
        for lane in new.lanes:
            # A lane has at least the room that it had, so that none is steeper.
            assert lane.end.x - lane.start.x - lane.start.length > 0
        for (_, right), (left, _) in zip(new.spans, new.spans[1:], strict=False):
            assert left > right


def test_many_tasks_that_never_part_in_either_tree_are_one_lane():
    tasks = [f"t{i}" for i in range(30)]
    a = BranchTree.from_choices(tasks, [[0] * 20 + [1] * 10])
    b = BranchTree.from_choices(tasks, [[0] * 10 + [1] * 20])
    assert texts(draw_tree_pair(a, b)).count("10 tasks") == 6
