"""Computes the positions of all boxes and lanes in the picture of a tree, without drawing.

Lengths are in points (1/72 inch), x to the right, y downwards. Column 0 is the stem, columns 1 to L are the
blocks, column L+1 are the heads.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import isotonic_regression

from nas.tree import BranchTree, CostTable, Group, Partition

MIN_LENGTH = 2.5
"""Least length of a box, so that parts with almost no cost are visible."""
LABEL_GAP = 6.0
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A group at a block (or the stem, or a head): ``tasks`` from top to bottom, a stripe of equal height each."""

    column: int
    tasks: Group
    x: float
    y: float
    length: float
    height: float

    @property
    def corner_radius(self) -> float:
        return min(4.0, self.length / 2, self.height / 2)

    def stripe(self, task: str) -> tuple[float, float]:
        """Top and bottom of a task's stripe."""
        i, thickness = self.tasks.index(task), self.height / len(self.tasks)
        return self.y + i * thickness, self.y + (i + 1) * thickness


@dataclass(frozen=True)
class Lane:
    """A task's line from ``start`` at the right end of one box to ``end`` at the left end of the next."""

    task: str
    start: Box
    end: Box

    @property
    def bezier(self) -> tuple[Point, Point, Point, Point]:
        """The four control points of a cubic Bezier curve that is level at both ends.

        All lanes between two columns have the same x at the same parameter, and y is a mean of the two ends:
        lanes that are in one order at both ends keep it in between.
        """
        x0, x1 = self.start.x + self.start.length, self.end.x
        y0, y1 = (sum(box.stripe(self.task)) / 2 for box in (self.start, self.end))
        return (x0, y0), ((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1), (x1, y1)


@dataclass(frozen=True)
class Layout:
    """The picture from (0, 0) to (width, height).

    Attributes:
        tasks: the tasks from top to bottom: those that part late are neighbours.
        boxes: by column, each column from top to bottom.
        lanes: by column, one per task between each two columns.
        spans: left and right end of each column.
        area_per_cost: area of a box per unit of cost; None without costs.
    """

    tasks: tuple[str, ...]
    boxes: tuple[Box, ...]
    lanes: tuple[Lane, ...]
    spans: tuple[tuple[float, float], ...]
    width: float
    height: float
    area_per_cost: float | None

    @property
    def lane_thickness(self) -> float:
        """Of all lanes: below that of any stripe, so that lanes that run side by side stay apart."""
        return min(2.2, 0.5 * min(box.height / len(box.tasks) for box in self.boxes))


def lay_out(
    tree: BranchTree,
    table: CostTable | None = None,
    resource: str = "macs",
    label_widths: Sequence[float] | None = None,
) -> Layout:
    """Boxes with an area proportional to their cost, near the middle of their tasks; lanes that never cross.

    All boxes of a column have one height, so within it length is cost; up to 13 tasks all columns have one
    height. Without a table all blocks are of one length, and stem and heads shorter. With ``label_widths``,
    one per column, columns stand so far apart that labels centred below them stay clear of each other.
    """
    tasks = tree_order(tree)
    columns = _columns(BranchTree(tasks, tree.partitions))
    pitch = float(np.clip(330 / len(tasks), 11, 26))
    heights = [_box_height(column, pitch) for column in columns]
    tops = [_box_tops(column, height, tasks, pitch) for column, height in zip(columns, heights, strict=True)]
    costs = None if table is None else _costs(columns, table, resource)
    lengths, area_per_cost = _box_lengths(columns, heights, costs)
    centres = [_stripe_centres(*column) for column in zip(columns, tops, heights, strict=True)]
    lefts = _column_lefts(centres, lengths, label_widths or [0] * len(columns))

    boxes = tuple(
        Box(c, group, lefts[c], tops[c][i], lengths[c][i], heights[c])
        for c, column in enumerate(columns)
        for i, group in enumerate(column)
    )
    spans = tuple((left, left + max(column)) for left, column in zip(lefts, lengths, strict=True))
    box_of = {(box.column, task): box for box in boxes for task in box.tasks}
    lanes = tuple(Lane(task, box_of[c, task], box_of[c + 1, task]) for c in range(len(columns) - 1) for task in tasks)
    return Layout(tasks, boxes, lanes, spans, spans[-1][1], pitch * len(tasks), area_per_cost)


def aligned(layouts: Sequence[Layout]) -> list[Layout]:
    """Layouts of trees with the same blocks, moved apart until each column begins at the same place in all of them."""
    lengths = [
        max(right - left for left, right in spans) for spans in zip(*(one.spans for one in layouts), strict=True)
    ]
    lefts = [0.0]
    for c, length in enumerate(lengths[:-1]):
        lefts.append(lefts[c] + length + max(_gap(one.spans[c : c + 2]) for one in layouts))
    return [_with_columns(one, lefts, lengths) for one in layouts]


def _gap(spans: Sequence[tuple[float, float]]) -> float:
    (_, right), (left, _) = spans
    return left - right


def _with_columns(layout: Layout, lefts: Sequence[float], lengths: Sequence[float]) -> Layout:
    boxes = {box: replace(box, x=lefts[box.column]) for box in layout.boxes}
    lanes = tuple(Lane(lane.task, boxes[lane.start], boxes[lane.end]) for lane in layout.lanes)
    spans = tuple((left, left + length) for left, length in zip(lefts, lengths, strict=True))
    return replace(layout, boxes=tuple(boxes.values()), lanes=lanes, spans=spans, width=spans[-1][1])


def tree_order(tree: BranchTree) -> tuple[str, ...]:
    """The tasks in an order in which every group of every block is contiguous, otherwise as in the tree."""
    paths = zip(*tree.choices_LT, strict=True)
    return tuple(task for _, task in sorted(zip(paths, tree.tasks, strict=True), key=lambda item: item[0]))


def outline(box: Box, top: float, bottom: float) -> list[Point]:
    """The polygon of the part of a box, with its round corners, between two heights."""
    radius = box.corner_radius
    corner = [radius * (1 - math.cos(step * math.pi / 16)) for step in range(9)]
    heights = [box.y + d for d in corner] + [box.y + box.height - d for d in reversed(corner)]
    left, right = [], []
    for y in [top, *(y for y in heights if top < y < bottom), bottom]:
        depth = min(radius, y - box.y, box.y + box.height - y)
        inset = radius - math.sqrt(max(0.0, radius**2 - (radius - depth) ** 2))
        left.append((box.x + inset, y))
        right.append((box.x + box.length - inset, y))
    return left + right[::-1]


def _columns(tree: BranchTree) -> list[Partition]:
    return [(tree.tasks,), *tree.partitions, tuple((task,) for task in tree.tasks)]


def _box_height(column: Partition, pitch: float) -> float:
    """As high as a head, higher where many tasks share a box and the column has room for it."""
    num_tasks = sum(map(len, column))
    gap = 0.27 * pitch
    wanted = max(pitch - gap, 1.4 * max(map(len, column)))
    return min(wanted, pitch * num_tasks / len(column) - gap)


def _box_tops(column: Partition, height: float, tasks: Sequence[str], pitch: float) -> list[float]:
    """Tops of the boxes: at the mean of their tasks' heads, moved apart as little as possible where they overlap.

    With ``z_i = top_i - i (height + gap)`` the boxes are apart iff z does not fall: a weighted isotonic regression.
    """
    head = {task: (i + 0.5) * pitch for i, task in enumerate(tasks)}
    step = np.arange(len(column)) * (height + 0.27 * pitch)
    wanted = np.array([np.mean([head[task] for task in group]) - height / 2 for group in column])
    apart = isotonic_regression(wanted - step, weights=np.array([len(group) for group in column])).x
    room = pitch * len(tasks) - (step[-1] + height)
    return [float(top) for top in np.clip(apart, 0, max(room, 0)) + step]


def _costs(columns: Sequence[Partition], table: CostTable, resource: str) -> list[list[float]]:
    stem, *blocks, heads = columns
    return [
        [table.stem[resource]] * len(stem),
        *([cost[resource]] * len(block) for cost, block in zip(table.blocks, blocks, strict=True)),
        [table.heads[task][resource] for (task,) in heads],
    ]


def _box_lengths(
    columns: Sequence[Partition], heights: Sequence[float], costs: list[list[float]] | None
) -> tuple[list[list[float]], float | None]:
    mean_length = float(np.clip(270 / len(columns), 11, 36))
    if costs is None or not any(map(any, costs)):
        ends = {0, len(columns) - 1}
        return [[mean_length * (0.4 if c in ends else 1)] * len(column) for c, column in enumerate(columns)], None
    per_area = [[cost / height for cost in column] for column, height in zip(costs, heights, strict=True)]
    longest = [max(column) for column in per_area]
    area_per_cost = min(mean_length * len(columns) / sum(longest), 120 / max(longest))
    return [[max(MIN_LENGTH, area_per_cost * length) for length in column] for column in per_area], area_per_cost


def _stripe_centres(column: Partition, tops: Sequence[float], height: float) -> dict[str, float]:
    return {
        task: top + height * (i + 0.5) / len(group)
        for group, top in zip(column, tops, strict=True)
        for i, task in enumerate(group)
    }


def _column_lefts(
    centres: Sequence[Mapping[str, float]], lengths: Sequence[Sequence[float]], label_widths: Sequence[float]
) -> list[float]:
    """Columns stand further apart where a lane rises or falls far, so that none gets steep."""
    near = float(np.clip(220 / len(centres), 7, 16))
    lefts = [0.0]
    for c, length in enumerate(map(max, lengths[:-1])):
        rise = max(abs(centres[c + 1][task] - y) for task, y in centres[c].items())
        gap = float(np.clip(0.62 * rise, near, 100))
        labels = (label_widths[c] + label_widths[c + 1] - length - max(lengths[c + 1])) / 2 + LABEL_GAP
        lefts.append(lefts[c] + length + max(gap, labels))
    return lefts
