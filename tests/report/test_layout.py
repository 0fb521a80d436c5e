"""The geometry of a tree's picture: nothing overlaps, nothing crosses, area is cost."""

from itertools import combinations, pairwise

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tree_strategies import tables

from nas.report.label_placement import Rect, place_labels
from nas.report.layout import LABEL_GAP, MIN_LENGTH, Box, lay_out, outline, tree_order
from nas.tree import BranchTree, CostTable

# Points. Coordinates are sums of some hundred doubles below 1e4, whose errors are below 1e-9.
ROUNDING = 1e-6


@st.composite
def large_trees(draw):
    tasks = [f"t{i}" for i in range(draw(st.integers(1, 40)))]
    # Few candidates make large groups, many make single tasks.
    row = st.lists(st.integers(0, draw(st.integers(0, 4))), min_size=len(tasks), max_size=len(tasks))
    return BranchTree.from_choices(tasks, draw(st.lists(row, min_size=1, max_size=8)))


@st.composite
def large_trees_with_tables(draw):
    tree = draw(large_trees())
    return tree, draw(tables(tree.tasks, len(tree.blocks)))


def column(layout, c):
    return [box for box in layout.boxes if box.column == c]


def lopsided(*group_sizes):
    """Single tasks beside large groups, whose stripes ask for high boxes."""
    row = [group for group, size in enumerate(group_sizes) for _ in range(size)]
    tree = BranchTree.from_choices([f"t{i}" for i in range(len(row))], [row])
    return tree, CostTable({"macs": 0}, ({"macs": 0},), {task: {"macs": 0} for task in tree.tasks}, ("a",))


@given(large_trees_with_tables())
@example(lopsided(1, 1, 38))
@example(lopsided(19, 1, 1, 19))
@settings(max_examples=40, deadline=None)
def test_boxes_stay_apart_and_on_the_page(tree_and_table):
    layout = lay_out(*tree_and_table)
    for box in layout.boxes:
        assert box.y >= -ROUNDING
        assert box.y + box.height <= layout.height + ROUNDING
        left, right = layout.spans[box.column]
        assert left - ROUNDING <= box.x
        assert box.x + box.length <= right + ROUNDING
    for (_, right), (left, _) in pairwise(layout.spans):
        assert right < left
    for c in range(len(layout.spans)):
        for upper, lower in pairwise(column(layout, c)):
            assert upper.y + upper.height < lower.y


@given(large_trees_with_tables())
@settings(max_examples=40, deadline=None)
def test_lanes_never_cross(tree_and_table):
    tree, table = tree_and_table
    layout = lay_out(tree, table)
    assert sorted(layout.tasks) == sorted(tree.tasks)
    for c in range(len(layout.spans) - 1):
        lanes = [lane for lane in layout.lanes if lane.start.column == c]
        assert [lane.task for lane in lanes] == list(layout.tasks)
        for upper, lower in pairwise(lanes):
            for t in (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1):
                (x0, y0), (x1, y1) = bezier(upper.bezier, t), bezier(lower.bezier, t)
                assert x0 == pytest.approx(x1, abs=ROUNDING)
                assert y0 < y1
    for box in layout.boxes:
        assert layout.lane_thickness < box.height / len(box.tasks)


def bezier(points, t):
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    return tuple(sum(w * x for w, x in zip(weights, axis, strict=True)) for axis in zip(*points, strict=True))


@given(large_trees())
@settings(max_examples=40, deadline=None)
def test_boxes_are_the_groups_and_keep_the_tasks_in_one_order(tree):
    layout = lay_out(tree)
    for l, partition in enumerate(tree.partitions):
        boxes = column(layout, l + 1)
        assert {frozenset(box.tasks) for box in boxes} == {frozenset(group) for group in partition}
        assert [task for box in boxes for task in box.tasks] == list(tree_order(tree))


@given(large_trees_with_tables())
@settings(max_examples=40, deadline=None)
def test_area_is_proportional_to_cost(tree_and_table):
    tree, table = tree_and_table
    assume(table.tree_cost(tree)["macs"] > 0)
    layout = lay_out(tree, table)
    total = 0.0
    for box in layout.boxes:
        cost = [table.stem, *table.blocks, table.heads[box.tasks[0]]][box.column]["macs"]
        total += cost
        if box.length > MIN_LENGTH:
            assert box.length * box.height == pytest.approx(layout.area_per_cost * cost)
        else:
            assert layout.area_per_cost * cost <= MIN_LENGTH * box.height * (1 + ROUNDING)
    assert total == table.tree_cost(tree)["macs"]


def test_equal_costs_look_equal_and_a_double_one_twice_as_long():
    tree = BranchTree.from_choices("abc", [[0, 0, 0], [0, 0, 1], [0, 1, 2]])
    blocks = ({"macs": 10}, {"macs": 20}, {"macs": 10})
    layout = lay_out(tree, CostTable({"macs": 3}, blocks, {task: {"macs": 3} for task in "abc"}, tree.blocks))
    lengths = {c: {box.length for box in column(layout, c)} for c in (1, 2, 3)}
    assert all(len(lengths[c]) == 1 for c in lengths)
    (first,), (second,), (third,) = lengths.values()
    assert second == pytest.approx(2 * first)
    assert third == pytest.approx(first)
    # Few tasks: all boxes are of one height, so length alone is cost.
    assert len({round(box.height, 6) for box in layout.boxes}) == 1


def test_without_costs_all_blocks_are_of_one_size():
    layout = lay_out(BranchTree.from_choices("abc", [[0, 0, 0], [0, 0, 1], [0, 1, 2]]))
    assert layout.area_per_cost is None
    assert len({(box.length, round(box.height, 6)) for box in layout.boxes if 0 < box.column < 4}) == 1


def test_tasks_that_part_last_are_neighbours():
    tree = BranchTree.from_choices("abcd", [[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 2, 1]])
    assert tree_order(tree) == ("a", "c", "b", "d")


@given(large_trees(), st.lists(st.floats(0, 100), min_size=10, max_size=10))
@settings(max_examples=40, deadline=None)
def test_labels_below_the_columns_stay_clear(tree, widths):
    widths = widths[: len(tree.blocks) + 2]
    layout = lay_out(tree, label_widths=widths)
    labels = [((a + b - w) / 2, (a + b + w) / 2) for (a, b), w in zip(layout.spans, widths, strict=True)]
    for (_, right), (left, _) in pairwise(labels):
        assert right + LABEL_GAP <= left + ROUNDING


def test_stripes_tile_the_box():
    box = Box(1, ("a", "b", "c"), x=10, y=5, length=30, height=18)
    assert [box.stripe(task) for task in box.tasks] == [(5, 11), (11, 17), (17, 23)]
    parts = [polygon_area(outline(box, *box.stripe(task))) for task in box.tasks]
    assert sum(parts) == pytest.approx(polygon_area(outline(box, 5, 23)))
    # The corners take away (4 - pi) r^2; quarter circles of 8 chords are 0.7 % smaller than round ones.
    radius = box.corner_radius
    assert polygon_area(outline(box, 5, 23)) == pytest.approx(30 * 18 - (4 - 3.1416) * radius**2, rel=1e-3)
    assert parts[1] == pytest.approx(6 * 30)


def polygon_area(vertices):
    edges = pairwise([*vertices, vertices[0]])
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in edges)) / 2


def test_a_label_never_covers_a_mark_or_another_label():
    marks = [Rect(x, x % 7, x + 5, x % 7 + 5) for x in range(20, 180, 6)]
    page = Rect(0, -60, 200, 60)
    places = place_labels(marks, [(30, 8)] * len(marks), marks, page, (3, 10, 20), above=True)
    found = [place for place in places if place is not None]
    assert len(found) > 10
    assert all(place.inside(page) for place in found)
    assert not any(a.overlaps(b) for a, b in combinations([*found], 2))
    assert not any(place.overlaps(mark) for place in found for mark in marks)


def test_a_label_without_room_is_left_out():
    page = Rect(0, 0, 20, 20)
    assert place_labels([Rect(8, 8, 12, 12)], [(30, 8)], [], page, (3,), above=True) == [None]
