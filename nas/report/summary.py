"""The cost of a tree, and the saving over separate networks, in one or two lines."""

from nas.errors import InputError
from nas.report.amounts import format_quantity
from nas.tree import BranchTree, CostTable

NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def summary(tree: BranchTree, table: CostTable | None = None, resource: str = "macs") -> list[str]:
    """``["61.2 MMACs, 38 % less than six separate networks", "3.4 M params, 41 % less"]``, ``resource`` first.

    Without a table: the tree's own cost, if it is known, and its number of group-blocks (groups, summed over the
    blocks).

    Raises:
        InputError: the table is not of this tree or lacks the resource.
    """
    if table is not None:
        cost, separate = table.tree_cost(tree), table.separate_cost(tree.tasks)
        first, *others = (
            format_quantity(cost[r], r) + _saving(cost[r], separate[r], tree, "less", r == resource)
            for r in sorted(table.resources, key=lambda r: r != resource)
        )
        return [first, " · ".join(others)] if others else [first]
    num_groups, num_separate = sum(tree.num_groups), len(tree.tasks) * len(tree.blocks)
    blocks = "1 group-block" if num_groups == 1 else f"{num_groups} group-blocks"
    known = " · ".join(format_quantity(amount, r) for r, amount in (tree.cost or {}).items())
    return [*([known] if known else []), blocks + _saving(num_groups, num_separate, tree, "fewer", True)]


def check_resource(table: CostTable, resource: str) -> None:
    """Raise InputError unless the table has the resource."""
    if resource not in table.resources:
        raise InputError(f"the cost table has no resource {resource!r}; it has {', '.join(table.resources)}")


def _saving(amount: float, separate: float, tree: BranchTree, less: str, against: bool) -> str:
    """``", 38 % less than six separate networks"``, or without the networks if ``against`` is false."""
    num_tasks = len(tree.tasks)
    if num_tasks == 1 or not separate:
        return ""
    percent = round(100 * (1 - amount / separate))
    number = NUMBER_WORDS[num_tasks] if num_tasks < len(NUMBER_WORDS) else num_tasks
    if against:
        than = f"{percent} % {less} than" if percent else f"as {'much' if less == 'less' else 'many'} as"
        return f", {than} {number} separate networks"
    return f", {percent} % {less}" if percent else ", the same"
