"""Every tree of the front with its picture, and the strip of the trees that no other one beats."""

from dataclasses import dataclass

from nas.cost import format_quantity
from nas.report.html.answer import splits
from nas.report.html.known import Gains, Known
from nas.report.html.tree_picture import TreePicture, groups_in_words, tree_picture
from nas.report.summary import summary
from nas.tree import BranchTree, describe_difference

MOST_PICTURES = 1_800_000
"""Characters of all pictures together; further trees are shown in words, so that the page stays below 3 MB."""
MOST_STEPS = 12
"""Most trees of the strip."""
MOST_DIFFERENCES = 5
"""Most sentences on how two trees differ; the pictures show the rest."""


@dataclass(frozen=True)
class Tree:
    """A tree as the page shows it.

    Args:
        budgets: the budgets that it was found for, in words.
        qualities: its estimate and its measured quality, one line each.
        groups: which tasks share which blocks, in words.
        differences: how it differs from the recommended tree, in sentences.
    """

    id: str
    name: str
    recommended: bool
    dominated: bool
    saving: list[str]
    budgets: str
    qualities: list[str]
    splits: list[str]
    groups: str
    gains: Gains | None
    differences: list[str]
    picture: TreePicture | None


@dataclass(frozen=True)
class Step:
    """A tree of the strip; ``changes`` says how it differs from the one before."""

    id: str
    name: str
    recommended: bool
    cost: str
    budgets: str
    changes: list[str]
    picture: TreePicture


def trees(known: Known) -> list[Tree]:
    """All trees, cheapest first."""
    best, room = known.front.best, MOST_PICTURES
    found = []
    # Pictures of the best trees come first if there is no room for all of them.
    pictures: dict[str, TreePicture] = {}
    for name in sorted(known.trees, key=lambda name: known.points[name].dominated):
        picture = tree_picture(known.trees[name], known.tables[name], known.resource, _tasks(known))
        if picture.size <= room:
            pictures[name], room = picture, room - picture.size
    for name, tree in known.trees.items():
        point = known.points[name]
        qualities = {"estimate": point.estimated, "measured": point.measured}
        lines = [f"{what} {one.amount}: {one.measure}; higher is better" for what, one in qualities.items() if one]
        found.append(
            Tree(
                name,
                known.name(name),
                best is not None and name == best.tree_id,
                point.dominated,
                summary(tree, known.tables[name], known.resource),
                _budgets(known, name),
                [*lines, *([point.grade_line] if point.grade_line else [])],
                splits(tree),
                groups_in_words(tree),
                known.gains(name),
                [] if best is None else _differences(known, best.tree_id, name),
                pictures.get(name),
            )
        )
    return found


def strip(known: Known) -> list[Step]:
    """The trees that no other one beats, cheapest first, each with what changes; none if there is only one.

    Of more than `MOST_STEPS`, as many at equal distances in their order.
    """
    best, names = known.front.best, [name for name in known.trees if name in known.letters]
    if len(names) > MOST_STEPS:
        names = [names[round(i * (len(names) - 1) / (MOST_STEPS - 1))] for i in range(MOST_STEPS)]
    steps: list[Step] = []
    for name in names:
        earlier = steps[-1].id if steps else None
        tree = known.trees[name]
        changed = [] if earlier is None else _changed_blocks(known.trees[earlier], tree)
        table = known.tables[name]
        steps.append(
            Step(
                name,
                known.name(name),
                best is not None and name == best.tree_id,
                summary(tree, table, known.resource)[0],
                _budgets(known, name),
                [] if earlier is None else _differences(known, earlier, name),
                tree_picture(tree, table, known.resource, _tasks(known), changed),
            )
        )
    return steps if len(steps) > 1 else []


def _tasks(known: Known) -> tuple[str, ...]:
    return tuple(known.table.heads)


def _changed_blocks(before: BranchTree, after: BranchTree) -> list[int]:
    """The blocks with other groups, if the trees have the same number of blocks."""
    if len(before.partitions) != len(after.partitions):
        return []
    as_sets = [[set(map(frozenset, partition)) for partition in tree.partitions] for tree in (before, after)]
    return [l for l, (a, b) in enumerate(zip(*as_sets, strict=True)) if a != b]


def _differences(known: Known, one: str, other: str) -> list[str]:
    first, second = known.trees[one], known.trees[other]
    if len(first.partitions) != len(second.partitions):
        return [f"{known.name(one)} has {len(first.partitions)} blocks, {known.name(other)} {len(second.partitions)}"]
    found = describe_difference(first, second, (known.name(one), known.name(other)))
    more = len(found) - MOST_DIFFERENCES
    return found if more <= 0 else [*found[:MOST_DIFFERENCES], f"and {more} more differences"]


def _budgets(known: Known, name: str) -> str:
    """``"budgets 40 % and 60 %"``, or that the search chose the cost."""
    mine = known.points_of[name]
    budgets = sorted({point.budget for point in mine if point.budget is not None})
    amounts = [f"{100 * b:g} %" if b <= 1 else format_quantity(b, known.resource) for b in budgets]
    words = [f"{'budget' if len(budgets) == 1 else 'budgets'} {' and '.join(amounts)}"] if budgets else []
    return "; ".join([*words, *(["chosen by the search"] if any(point.budget is None for point in mine) else [])])
