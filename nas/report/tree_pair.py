"""The picture of two trees, one above the other, with the difference marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.report.canvas import Canvas, TextStyle, shortened, wrapped
from nas.report.gathering import gathered
from nas.report.layout import Box, Layout, aligned, lay_out
from nas.report.palette import colours_of, positions_of
from nas.report.picture import (
    TITLE_ROOM,
    block_labels,
    draw_labels,
    draw_lanes_and_boxes,
    draw_scale,
    draw_task_names,
    label_widths,
)
from nas.report.summary import check_resource, summary
from nas.report.theme import GREY, INK, PALE, THEMES, ThemeName
from nas.tree import BranchTree, CostTable, describe_difference

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, LINE = TextStyle(10.5, INK, bold=True), TextStyle(8.0, GREY)
HEADING_HEIGHT, LINE_HEIGHT, TREE_GAP = 34.0, 11.5, 26.0
MOST_SENTENCES = 8
"""At most so many sentences about the difference are drawn; `describe_difference` has all."""


def draw_tree_pair(
    first: BranchTree,
    second: BranchTree,
    table: CostTable | None = None,
    *,
    names: tuple[str, str] = ("the first tree", "the second tree"),
    resource: str = "macs",
    theme: ThemeName = "light",
) -> Figure:
    """Two trees of the same tasks and blocks, drawn as by `draw_tree`, block below block.

    Blocks at which the trees differ have a grey ground, and groups that only one of the trees has have a border. Below
    is the difference in words. In trees of more than 16 tasks, tasks that share every block in both are one lane.

    Args:
        names: the headings of the trees.

    Raises:
        InputError: the trees or the table do not fit each other; matplotlib is missing.
    """
    sentences = describe_difference(first, second, names) or [f"{names[0]} and {names[1]} are the same tree"]
    if table is not None:
        check_resource(table, resource)
        first, second = first.with_cost(table), second.with_cost(table)
    groups = _together(first, second)
    shown = [gathered(tree, table, groups) for tree in (first, second)]
    *_, labels = block_labels(shown[0].tree)
    layouts = aligned([lay_out(one.tree, one.table, resource, label_widths(labels)) for one in shown])
    canvas = Canvas(THEMES[theme])
    among = table.heads if table else ()
    positions, colours = positions_of(first.tasks, among), colours_of(first.tasks, among)
    y = 0.0
    for i, (tree, layout) in enumerate(zip((first, second), layouts, strict=True)):
        canvas.origin = (0.0, y)
        canvas.text(0, 0, shortened(names[i], NAME, TITLE_ROOM), NAME)
        canvas.text(0, 14, summary(tree, table, resource)[0], LINE)
        canvas.origin = (0.0, y + HEADING_HEIGHT)
        _draw_ground(canvas, layout, first, second)
        draw_lanes_and_boxes(canvas, layout, positions, _only_here(layout, shown[1 - i].tree))
        draw_task_names(canvas, layout, colours, shown[i].members)
        y += HEADING_HEIGHT + layout.height + TREE_GAP
    draw_labels(canvas, labels, layouts[1])
    if layouts[1].area_per_cost is not None:
        draw_scale(canvas, resource, layouts[1])
    canvas.origin = (0.0, canvas.bottom + LINE_HEIGHT)
    _draw_sentences(canvas, sentences)
    return canvas.figure(margin=12)


def _together(first: BranchTree, second: BranchTree) -> tuple[tuple[str, ...], ...]:
    """The tasks that share every block in both trees."""
    groups: dict[tuple[int, int], list[str]] = {}
    ends = [{task: i for i, group in enumerate(tree.partitions[-1]) for task in group} for tree in (first, second)]
    for task in first.tasks:
        groups.setdefault((ends[0][task], ends[1][task]), []).append(task)
    return tuple(map(tuple, groups.values()))


def _draw_ground(canvas: Canvas, layout: Layout, first: BranchTree, second: BranchTree) -> None:
    """A grey ground behind the blocks at which the trees differ."""
    for (left, right), ours, theirs in zip(layout.spans[1:], first.partitions, second.partitions, strict=False):
        if set(map(frozenset, ours)) != set(map(frozenset, theirs)):
            top, bottom = -5.0, layout.height + 5
            corners = [(left - 4, top), (right + 4, top), (right + 4, bottom), (left - 4, bottom)]
            canvas.polygon(corners, PALE, above=False)


def _only_here(layout: Layout, other: BranchTree) -> set[Box]:
    """The boxes of groups that the other tree does not have at their block."""
    groups = [set(map(frozenset, partition)) for partition in other.partitions]
    blocks = (box for box in layout.boxes if 0 < box.column <= len(groups))
    return {box for box in blocks if frozenset(box.tasks) not in groups[box.column - 1]}


def _draw_sentences(canvas: Canvas, sentences: list[str]) -> None:
    more = len(sentences) - MOST_SENTENCES
    meaning = "grey ground: the trees differ at this block; border: a group that only this tree has"
    shown = [meaning, *sentences[:MOST_SENTENCES]] + ([f"and {more} more differences"] if more > 0 else [])
    room = max(TITLE_ROOM, canvas.right - canvas.left)
    for i, line in enumerate(line for sentence in shown for line in wrapped(sentence, LINE, room)):
        canvas.text(0, LINE_HEIGHT * i, line, LINE)
