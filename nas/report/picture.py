"""The picture of a branch tree: which blocks the tasks share, where they part, and how much each block costs."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from nas.report.amounts import format_quantity
from nas.report.canvas import Canvas, TextStyle, shortened, text_width, wrapped
from nas.report.layout import Box, Layout, lay_out, outline
from nas.report.palette import colours_of, text_colour
from nas.report.summary import check_resource, summary
from nas.tree import BranchTree, CostTable

INK, GREY, LIGHT_GREY = "#1A1A1A", "#6B6B6B", "#C4C4C4"
TITLE = TextStyle(10.5, INK, bold=True)
LINE = TextStyle(8.5, GREY)
BLOCK = TextStyle(8.0, INK)
COST = TextStyle(6.5, GREY)
TASK_ROOM, BLOCK_ROOM, TITLE_ROOM = 170.0, 110.0, 430.0
"""Points that a task's or a block's name gets at most, and a title at least."""
WIDENING = 1.2
"""Largest factor by which labels may widen the picture."""


def draw_tree(
    tree: BranchTree, table: CostTable | None = None, *, title: str | None = None, resource: str = "macs"
) -> Figure:
    """Stem, blocks, heads from left to right: a box per group with a stripe per task, a lane per task between boxes.

    The area of a box is proportional to its cost, so the total area shows the cost of the tree. A task's colour
    depends on its position in ``tree.tasks``.

    Args:
        tree: what to draw.
        table: costs of the tree's blocks (matched by position) and heads; without it all blocks are equally long.
        title: a heading above the summary of the cost.
        resource: the resource of the areas and of the summary's first line; one of the table's.

    Raises:
        InputError: the table is not of this tree or lacks the resource; matplotlib is missing.
    """
    if table is not None:
        check_resource(table, resource)
        tree = tree.with_cost(table)
    labels, layout = _labels_and_layout(tree, table, resource)
    canvas = Canvas()
    _draw_lanes_and_boxes(canvas, tree, layout)
    _draw_task_names(canvas, tree, layout)
    _draw_labels(canvas, labels, layout)
    if labels.costs is None and layout.area_per_cost is not None:
        _draw_scale(canvas, resource, layout)
    _draw_heading(canvas, [*([title] if title else []), *summary(tree, table, resource)])
    return canvas.figure(margin=12)


class _Labels(NamedTuple):
    """Below each column its name and, where there is room, what one of its boxes costs."""

    names: Sequence[str]
    costs: Sequence[str] | None
    slanted: bool


def _labels_and_layout(tree: BranchTree, table: CostTable | None, resource: str) -> tuple[_Labels, Layout]:
    """The most informative labels that do not make the picture much wider than it is without."""
    names = [
        shortened(name, BLOCK, BLOCK_ROOM)
        for name in ("stem", *tree.blocks, "heads" if len(tree.tasks) > 1 else "head")
    ]
    name_widths = [text_width(name, BLOCK) for name in names]
    narrow = lay_out(tree, table, resource)
    if table is not None and narrow.area_per_cost is not None:
        costs = _group_costs(tree, table, resource)
        widths = [max(width, text_width(cost, COST)) for width, cost in zip(name_widths, costs, strict=True)]
        layout = lay_out(tree, table, resource, widths)
        if layout.width <= WIDENING * narrow.width:
            return _Labels(names, costs, slanted=False), layout
    layout = lay_out(tree, table, resource, name_widths)
    if layout.width <= WIDENING * narrow.width:
        return _Labels(names, None, slanted=False), layout
    return _Labels(names, None, slanted=True), narrow


def _draw_lanes_and_boxes(canvas: Canvas, tree: BranchTree, layout: Layout) -> None:
    colours = colours_of(tree.tasks)
    for lane in layout.lanes:
        # Lanes reach into the boxes, because the round corners would leave a gap.
        (x0, y0), *_, (x1, y1) = lane.bezier
        ends = (x0 - lane.start.corner_radius, y0), (x1 + lane.end.corner_radius, y1)
        canvas.bezier((ends[0], *lane.bezier, ends[1]), colours[lane.task], layout.lane_thickness)
    for box in layout.boxes:
        for task in box.tasks:
            # Each stripe reaches under the next one, so that no background shines through between them.
            top, bottom = box.stripe(task)
            below = min(bottom + 0.2, box.y + box.height)
            canvas.polygon(outline(box, top, below), colours[task])


def _draw_task_names(canvas: Canvas, tree: BranchTree, layout: Layout) -> None:
    colours = colours_of(tree.tasks)
    size = min(9.0, 0.76 * layout.height / len(tree.tasks))
    for box in layout.boxes[-len(tree.tasks) :]:
        (task,) = box.tasks
        style = TextStyle(size, text_colour(colours[task]))
        canvas.text(layout.width + 7, box.y + box.height / 2, shortened(task, style, TASK_ROOM), style)


def _draw_labels(canvas: Canvas, labels: _Labels, layout: Layout) -> None:
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


def _draw_scale(canvas: Canvas, resource: str, layout: Layout) -> None:
    """A grey box of a round cost, beside the blocks' names."""
    assert layout.area_per_cost is not None
    height = layout.boxes[-1].height
    cost = _round_down(26 * height / layout.area_per_cost)
    box = Box(-1, ("scale",), layout.width + 7, layout.height + 8, cost * layout.area_per_cost / height, height)
    canvas.polygon(outline(box, box.y, box.y + height), LIGHT_GREY)
    canvas.text(box.x + box.length + 4, box.y + height / 2, format_quantity(cost, resource), COST)


def _draw_heading(canvas: Canvas, lines: Sequence[str]) -> None:
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
