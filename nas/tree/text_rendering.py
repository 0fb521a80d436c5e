"""A branch tree as plain text for the terminal."""

from collections.abc import Callable, Iterator, Mapping

from nas.tree.branch_tree import BranchTree
from nas.tree.cost_table import Cost, CostTable
from nas.tree.partition import Group
from nas.tree.quantities import plain_quantity

MAX_TASK_WIDTH = 40
"""The most characters of task names at a node; more tasks are counted only, since the heads name them anyway."""


def render_text(
    tree: BranchTree, table: CostTable | None = None, *, in_words: Callable[[float, str], str] = plain_quantity
) -> str:
    """The tree from its stem to its heads, one line a node; blocks between which no tasks part are one node.

    Args:
        tree: L partitions.
        table: with it, every node shows what it costs, and the last lines the total and its share of separate
            networks. Without it, the last line shows the cost that the tree carries, if it does.
        in_words: writes an amount of a resource; `nas.cost.format_quantity` knows units.

    Raises:
        InputError: the table is of another number of blocks, or lacks a task.

    >>> tree = BranchTree.from_choices(["left", "right", "mean"], [[0, 0, 0], [0, 0, 0], [0, 0, 1]])
    >>> print(render_text(tree))
    stem
    └─ block0-block1  left, right, mean
       ├─ block2  left, right
       │  ├─ head left
       │  └─ head right
       └─ block2  mean
          └─ head mean
    """
    cost = table.tree_cost(tree) if table else tree.cost or {}
    names = table.block_names if table else tree.blocks
    rows: list[tuple[str, Cost]] = [("stem", table.stem if table else {})]
    children = [(0, group) for group in tree.partitions[0]]
    for i, (l, group) in enumerate(children):
        rows.extend(_branch(tree, names, table, l, group, "", i == len(children) - 1))

    if cost:
        rows.append(("total", cost))
    resources = tuple(cost)
    lines = [(label, [in_words(row[r], r) if r in row else "" for r in resources]) for label, row in rows]
    if table:
        separate = table.separate_cost(tree.tasks)
        lines.append(("share of separate networks", [_percentage(cost[r], separate[r]) for r in resources]))
    return _aligned(lines)


def _branch(
    tree: BranchTree, names: tuple[str, ...], table: CostTable | None, first: int, group: Group, indent: str, last: bool
) -> Iterator[tuple[str, Cost]]:
    """The rows of a group that starts at block ``first``, and of all that follows from it."""
    end = first + 1
    while end < len(names) and group in tree.partitions[end]:
        end += 1
    run = names[first] if end == first + 1 else f"{names[first]}-{names[end - 1]}"
    branch, below = (indent + "└─ ", indent + "   ") if last else (indent + "├─ ", indent + "│  ")
    yield f"{branch}{run}  {_named(group)}", _sum(table.blocks[first:end]) if table else {}
    if end == len(names):
        for task in group:
            branch = "└─ " if task == group[-1] else "├─ "
            yield f"{below}{branch}head {task}", table.heads[task] if table else {}
        return
    children = [child for child in tree.partitions[end] if child[0] in group]
    for child in children:
        yield from _branch(tree, names, table, end, child, below, child == children[-1])


def _named(group: Group) -> str:
    names = ", ".join(group)
    return names if len(names) <= MAX_TASK_WIDTH else f"{len(group)} tasks"


def _sum(costs: tuple[Cost, ...]) -> Mapping[str, float]:
    return {resource: sum(cost[resource] for cost in costs) for resource in costs[0]}


def _percentage(cost: float, reference: float) -> str:
    return f"{100 * cost / reference:.1f} %" if reference else "–"


def _aligned(lines: list[tuple[str, list[str]]]) -> str:
    """Labels to the left, every column of amounts to the right."""
    widths = [max(map(len, column)) for column in zip(*([label, *amounts] for label, amounts in lines), strict=True)]
    return "\n".join(
        "  ".join([label.ljust(widths[0]), *(a.rjust(w) for a, w in zip(amounts, widths[1:], strict=True))]).rstrip()
        for label, amounts in lines
    )
