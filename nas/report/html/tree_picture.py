"""The picture of a tree as a few short vector paths: a page may hold hundreds of them.

The positions are those of `nas.report.layout`, so the picture looks like that of ``nas show --out``. It has no ids, and
the colour of the k-th task is the class ``k<k>``, whose colour depends on the page's theme.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

from nas.report.layout import Box, Layout, lay_out
from nas.tree import BranchTree, CostTable

_LETTER = 0.58
"""Mean width of a letter as a share of the size of the text, which no browser is asked for."""
_LABEL, _NAME = 9.0, 11.0
"""Sizes of the texts below columns and beside heads."""
_LONGEST_LABEL, _LONGEST_NAME = 14, 26
_LABEL_ROOM = 45.0
"""Mean width of the labels below the columns up to which the columns make room for them."""


@dataclass(frozen=True)
class Label:
    """Text; ``task`` is the index of the task whose colour it has, or -1."""

    x: float
    y: float
    text: str
    task: int = -1


@dataclass(frozen=True)
class TreePicture:
    """Paths by index of the task, texts, and bands behind the columns that are marked (left end and width)."""

    width: float
    height: float
    lane_width: float
    lanes: list[tuple[int, str]]
    boxes: list[tuple[int, str]]
    names: list[Label]
    blocks: list[Label]
    bands: list[tuple[float, float]]
    name_size: float
    words: str

    @property
    def size(self) -> int:
        """Approximate number of characters."""
        return (
            sum(len(path) + 30 for _, path in (*self.lanes, *self.boxes))
            + 70 * len(self.names + self.blocks)
            + len(self.words)
        )


def tree_picture(
    tree: BranchTree, table: CostTable, resource: str, tasks: Sequence[str], marked: Collection[int] = ()
) -> TreePicture:
    """The picture of a tree.

    Args:
        table: the costs of its parts; the area of a box is proportional to its cost.
        tasks: the tasks in the order that their colours have.
        marked: indices of the blocks that get a band.
    """
    labels = [_shortened(name, _LONGEST_LABEL) for name in ("stem", *short_names(tree.blocks), "heads")]
    widths = [_LETTER * _LABEL * len(label) for label in labels]
    # Long labels would pull the columns apart; those without room are left out instead.
    layout = lay_out(tree, table, resource, widths if sum(widths) <= _LABEL_ROOM * len(widths) else None)
    index = {task: k for k, task in enumerate(tasks)}
    size = min(_NAME, 0.76 * layout.height / len(tree.tasks))
    heads = layout.boxes[-len(tree.tasks) :]
    names = [
        Label(
            _r(layout.width + 7),
            _r(box.y + box.height / 2),
            _shortened(box.tasks[0], _LONGEST_NAME),
            index[box.tasks[0]],
        )
        for box in heads
    ]
    room = max(len(label.text) for label in names) * _LETTER * size
    return TreePicture(
        width=_r(layout.width + 12 + room),
        height=_r(layout.height + 22),
        lane_width=_r(layout.lane_thickness),
        lanes=_lanes(layout, index),
        boxes=_boxes(layout, index),
        names=names,
        blocks=_block_labels(layout, labels),
        bands=[(_r(left - 4), _r(right - left + 8)) for left, right in (layout.spans[l + 1] for l in sorted(marked))],
        name_size=_r(size),
        words=groups_in_words(tree),
    )


def groups_in_words(tree: BranchTree) -> str:
    """``"block0 to block2: left, right, sum; block3: left, right | sum"``: a range for blocks with the same groups."""
    ranges = []
    for partition, blocks in groupby(range(len(tree.blocks)), key=lambda l: tree.partitions[l]):
        first, *_, last = [*blocks] * 2
        where = tree.blocks[first] if first == last else f"{tree.blocks[first]} to {tree.blocks[last]}"
        ranges.append(f"{where}: {' | '.join(', '.join(group) for group in partition)}")
    return "; ".join(ranges)


def short_names(names: Sequence[str]) -> list[str]:
    """The names, without the word that all of them repeat after the first one.

    >>> short_names(["block0", "block1", "block2"]), short_names(["early", "late"])
    (['block0', '1', '2'], ['early', 'late'])
    """
    found = [re.fullmatch(r"(\D+)(\d+)", name) for name in names]
    if len({match[1] if match else None for match in found}) == 1 and found[0]:
        return [names[0], *(match[2] for match in found[1:] if match)]
    return list(names)


def _lanes(layout: Layout, index: dict[str, int]) -> list[tuple[int, str]]:
    paths: dict[int, list[str]] = {}
    for lane in layout.lanes:
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = lane.bezier
        # The lines reach into the boxes, which have round corners.
        start, end = x0 - lane.start.corner_radius, x3 + lane.end.corner_radius
        curve = ("M", start, y0, "H", x0, "C", x1, y1, x2, y2, x3, y3, "H", end)
        paths.setdefault(index[lane.task], []).append(_path(curve))
    return [(k, "".join(parts)) for k, parts in sorted(paths.items())]


def _boxes(layout: Layout, index: dict[str, int]) -> list[tuple[int, str]]:
    paths: dict[int, list[str]] = {}
    for box in layout.boxes:
        for task in box.tasks:
            paths.setdefault(index[task], []).append(_path(_stripe(box, task)))
    return [(k, "".join(parts)) for k, parts in sorted(paths.items())]


def _stripe(box: Box, task: str) -> tuple[str | float, ...]:
    """A task's stripe of a box; the first and the last one have the box's round corners."""
    top, bottom = box.stripe(task)
    radius = min(box.corner_radius, (bottom - top) / (2 if len(box.tasks) == 1 else 1))
    upper = radius if task == box.tasks[0] else 0.0
    lower = radius if task == box.tasks[-1] else 0.0
    path: tuple[str | float, ...] = ("M", box.x, top + upper)
    if upper:
        path += (*_arc(upper, upper, -upper), "h", box.length - 2 * upper, *_arc(upper, upper, upper))
    else:
        path += ("h", box.length)
    path += ("v", bottom - top - upper - lower)
    if lower:
        return (*path, *_arc(lower, -lower, lower), "h", 2 * lower - box.length, *_arc(lower, -lower, -lower), "z")
    return (*path, "h", -box.length, "z")


def _arc(radius: float, across: float, down: float) -> tuple[str | float, ...]:
    """A quarter of a circle, clockwise."""
    return ("a", radius, radius, 0, 0, 1, across, down)


def _path(parts: Sequence[str | float]) -> str:
    """Commands and numbers as the data of a path, with one digit after the point."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
        else:
            text += f"{' ' if text[-1].isdigit() else ''}{_r(part):g}"
    return text


def _block_labels(layout: Layout, labels: Sequence[str]) -> list[Label]:
    """The names below the columns, without those that would touch the one before."""
    found, free = [], float("-inf")
    for (left, right), text in zip(layout.spans, labels, strict=True):
        middle, half = (left + right) / 2, _LETTER * _LABEL * len(text) / 2
        if middle - half >= free:
            found.append(Label(_r(middle), _r(layout.height + 14), text))
            free = middle + half + 4
    return found


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 5]}…{text[-4:]}"


def _r(value: float) -> float:
    return round(value, 1)
