"""The picture of a branch tree: which blocks the tasks share, where they part, and how much each block costs."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from nas.report.amounts import format_quantity
from nas.report.canvas import Canvas, TextStyle, shortened, text_width, wrapped
from nas.report.gathering import gathered
from nas.report.layout import Box, Layout, lay_out, outline
from nas.report.palette import TASKS, colours_of, positions_of, task_line
from nas.report.summary import check_resource, summary
from nas.report.theme import GREY, INK, LIGHT_GREY, THEMES, ThemeName
from nas.tree import BranchTree, CostTable

TITLE = TextStyle(10.5, INK, bold=True)
LINE = TextStyle(8.5, GREY)
BLOCK = TextStyle(8.0, INK)
COST = TextStyle(6.5, GREY)
MEMBERS = TextStyle(7.0, GREY)
TASK_ROOM, BLOCK_ROOM, TITLE_ROOM = 170.0, 110.0, 430.0
"""Points that a task's or a block's name gets at most, and a title at least."""
MEMBERS_ROOM, MEMBERS_LINE = 220.0, 8.2
"""Largest width of the names of tasks in one lane, and the height of one line of them."""
WIDENING = 1.2
"""Largest factor by which labels may widen the picture."""


def draw_tree(
    tree: BranchTree,
    table: CostTable | None = None,
    *,
    title: str | None = None,
    resource: str = "macs",
    theme: ThemeName = "light",
) -> Figure:
    """Stem, blocks, heads from left to right: a box per group with a stripe per task, a lane per task between boxes.

    The area of a box is proportional to its cost, so the total area shows the cost of the tree. A task's colour
    depends on its position in the table or, without one, in ``tree.tasks``. In a tree of more than 16 tasks, tasks
    that share every block are one stripe and lane, in the colour of the first of them.

    Args:
        tree: what to draw.
        table: costs of the tree's blocks (matched by position) and heads; without it all blocks are equally long.
        title: a heading above the summary of the cost.
        resource: the resource of the areas and of the summary's first line; one of the table's.
        theme: "light" or "dark".

    Raises:
        InputError: the table is not of this tree or lacks the resource; matplotlib is missing.
    """
    if table is not None:
        check_resource(table, resource)
        tree = tree.with_cost(table)
    shown = gathered(tree, table)
    labels, layout = _labels_and_layout(shown.tree, shown.table, resource)
    canvas = Canvas(THEMES[theme])
    draw_lanes_and_boxes(canvas, layout, positions_of(tree.tasks, table.heads if table else ()))
    draw_task_names(canvas, layout, colours_of(tree.tasks, table.heads if table else ()), shown.members)
    draw_labels(canvas, labels, layout)
    if labels.costs is None and layout.area_per_cost is not None:
        draw_scale(canvas, resource, layout)
    draw_heading(canvas, [*([title] if title else []), *summary(tree, table, resource)])
    return canvas.figure(margin=12)


class Labels(NamedTuple):
    """Below each column its name and, where there is room, what one of its boxes costs."""

    names: Sequence[str]
    costs: Sequence[str] | None = None
    slanted: bool = False


def _labels_and_layout(tree: BranchTree, table: CostTable | None, resource: str) -> tuple[Labels, Layout]:
    """The most informative labels that do not make the picture much wider than it is without."""
    narrow = lay_out(tree, table, resource)
    full, *others = block_labels(tree)
    attempts = [full, *others]
    if table is not None and narrow.area_per_cost is not None:
        attempts.insert(0, full._replace(costs=_group_costs(tree, table, resource)))
    for labels in attempts:
        layout = lay_out(tree, table, resource, label_widths(labels))
        if layout.width <= WIDENING * narrow.width:
            return labels, layout
    return full._replace(slanted=True), narrow


def block_labels(tree: BranchTree) -> list[Labels]:
    """The names of the columns, in full and, if they are the same up to a number, with the number alone.

    Of ``block0, block1, block2`` the short form is ``block0, 1, 2``.
    """
    heads = "heads" if len(tree.tasks) > 1 else "head"
    forms = [tree.blocks]
    words = {re.split(r"\d", name, maxsplit=1)[0] for name in tree.blocks}
    if len(words) == 1 and (word := words.pop()) and all(name != word for name in tree.blocks):
        forms.append((tree.blocks[0], *(name.removeprefix(word) for name in tree.blocks[1:])))
    return [Labels([shortened(name, BLOCK, BLOCK_ROOM) for name in ("stem", *form, heads)]) for form in forms]


def label_widths(labels: Labels) -> list[float]:
    widths = [text_width(name, BLOCK) for name in labels.names]
    costs = [text_width(cost, COST) for cost in labels.costs or [""] * len(widths)]
    return [max(pair) for pair in zip(widths, costs, strict=True)]


def draw_lanes_and_boxes(
    canvas: Canvas, layout: Layout, positions: Mapping[str, int], marked: Collection[Box] = ()
) -> None:
    """Lanes and boxes in the colours of the tasks' positions; the ``marked`` boxes have a border."""
    colours = {task: canvas.theme.fill(TASKS[i % len(TASKS)]) for task, i in positions.items()}
    for lane in layout.lanes:
        # Lanes reach into the boxes, because the round corners would leave a gap.
        (x0, y0), *_, (x1, y1) = lane.bezier
        ends = (x0 - lane.start.corner_radius, y0), (x1 + lane.end.corner_radius, y1)
        line = task_line(positions[lane.task])
        canvas.bezier((ends[0], *lane.bezier, ends[1]), colours[lane.task], layout.lane_thickness, line)
    for box in layout.boxes:
        for task in box.tasks:
            # Each stripe reaches under the next one, so that no background shines through between them.
            top, bottom = box.stripe(task)
            below = min(bottom + 0.2, box.y + box.height)
            canvas.polygon(outline(box, top, below), colours[task])
        if box in marked:
            canvas.polygon(outline(box, box.y, box.y + box.height), "none", border=INK)


def draw_task_names(
    canvas: Canvas, layout: Layout, colours: Mapping[str, str], members: Mapping[str, Sequence[str]]
) -> None:
    """The task beside each head; where a head stands for several tasks, their number and as many names as fit."""
    pitch = layout.height / len(layout.tasks)
    size = min(9.0, 0.76 * pitch)
    for box in layout.boxes[-len(layout.tasks) :]:
        (task,) = box.tasks
        style = TextStyle(size, canvas.theme.text(colours[task]))
        x, y = box.x + box.length + 6, box.y + box.height / 2
        if len(members[task]) == 1:
            canvas.text(x, y, shortened(task, style, TASK_ROOM), style)
            continue
        count = f"{len(members[task])} tasks"
        canvas.text(x, y, count, style)
        lines = _few_lines(", ".join(members[task]), max(1, int(pitch / MEMBERS_LINE)))
        x += text_width(count, style) + 6
        for i, line in enumerate(lines):
            canvas.text(x, y + MEMBERS_LINE * (i - (len(lines) - 1) / 2), line, MEMBERS)


def _few_lines(names: str, most: int) -> list[str]:
    lines = wrapped(names, MEMBERS, MEMBERS_ROOM)
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1]} …"]


def draw_labels(canvas: Canvas, labels: Labels, layout: Layout) -> None:
    y, last = layout.height + 12, -math.inf
    for c, (name, (left, right)) in enumerate(zip(labels.names, layout.spans, strict=True)):
        x = (left + right) / 2
        style = BLOCK if 0 < c < len(labels.names) - 1 else BLOCK._replace(colour=GREY)
        if not labels.slanted:
            canvas.text(x, y, name, style, "center")
        elif x - last > 12:
            canvas.text(x + 3, y - 2, name, style, "right", slanted=True)
            last = x
        if labels.costs:
            canvas.text(x, y + 11, labels.costs[c], COST, "center")


def draw_scale(canvas: Canvas, resource: str, layout: Layout) -> None:
    """A grey box of a round cost, beside the blocks' names."""
    assert layout.area_per_cost is not None
    height = layout.boxes[-1].height
    cost = _round_down(26 * height / layout.area_per_cost)
    left, right = layout.spans[-1]
    x = max(right, (left + right + text_width("heads", BLOCK)) / 2) + 10
    box = Box(-1, ("scale",), x, layout.height + 8, cost * layout.area_per_cost / height, height)
    canvas.polygon(outline(box, box.y, box.y + height), LIGHT_GREY)
    canvas.text(box.x + box.length + 4, box.y + height / 2, format_quantity(cost, resource), COST)


def draw_heading(canvas: Canvas, lines: Sequence[str]) -> None:
    """Above everything that has been drawn so far, the first line bold."""
    left, room, y = canvas.left, max(canvas.right - canvas.left, TITLE_ROOM), canvas.top - 14
    styled = [
        (part, style)
        for i, line in enumerate(lines)
        for style in [LINE if i else TITLE]
        for part in wrapped(line, style, room)
    ]
    for part, style in reversed(styled):
        canvas.text(left, y, part, style)
        y -= 13.5


def _group_costs(tree: BranchTree, table: CostTable, resource: str) -> list[str]:
    """What one box of each column costs, and how many there are if there are several; for the heads their sum."""
    blocks = [
        (f"{num_groups} × " if num_groups > 1 else "") + format_quantity(cost[resource], resource)
        for num_groups, cost in zip(tree.num_groups, table.blocks, strict=True)
    ]
    heads = sum(table.heads[task][resource] for task in tree.tasks)
    return [format_quantity(table.stem[resource], resource), *blocks, format_quantity(heads, resource)]


def _round_down(value: float) -> float:
    """The next lower of 1, 2, 5, 10, 20, ..."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(digit * power for digit in (5, 2, 1) if digit * power <= value * (1 + 1e-9))
