"""Trees that have a name and need no search: ``shared``, ``separate``, ``random:SEED[:BUDGET]``."""

import numpy as np

from nas.cost import resolve_budget
from nas.errors import InputError
from nas.tree import BranchTree, CostTable, random_tree, random_tree_shape

FORMS = "shared, separate, random:SEED or random:SEED:BUDGET"
"""The names, for messages."""


def is_tree_name(text: str) -> bool:
    """Whether a text has the form of such a name, perhaps with a wrong seed or budget; ids and files do not."""
    return text in ("shared", "separate") or text.partition(":")[0] == "random"


def named_tree(name: str, table: CostTable, resource: str) -> BranchTree:
    """The tree of a name, over all tasks of a cost table, with its cost.

    Args:
        name: ``shared`` (all tasks share every block), ``separate`` (no two tasks share a block), ``random:SEED`` (a
            random tree of any cost) or ``random:SEED:BUDGET`` (one that costs at most the budget, and nearly as much).
            A budget is a share in (0, 1] of the cost of separate networks, or an absolute amount. The same name, table
            and resource always give the same tree.
        table: of the backbone and the tasks.
        resource: what the budget counts, for instance ``macs``.

    Raises:
        InputError: the name has another form, or the budget is below the cost of the shared tree.

    >>> cost = {"macs": 10}
    >>> table = CostTable(cost, (cost, cost), {"semseg": cost, "edge": cost}, ("block0", "block1"))
    >>> named_tree("separate", table, "macs").num_groups
    (2, 2)
    >>> named_tree("random:7:0.8", table, "macs").cost
    {'macs': 60}
    """
    tasks, num_blocks = tuple(table.heads), len(table.blocks)
    if name == "shared":
        return BranchTree.shared(tasks, num_blocks).with_cost(table)
    if name == "separate":
        return BranchTree.separate(tasks, num_blocks).with_cost(table)
    kind, _, rest = name.partition(":")
    seed, has_budget, budget = rest.partition(":")
    if kind != "random" or not (seed.isascii() and seed.isdecimal() and len(seed) <= 18):
        raise InputError(f"tree {name!r}: expected {FORMS}, where SEED is an integer of 0 or more")
    rng = np.random.default_rng(int(seed))
    if not has_budget:
        return random_tree_shape(tasks, num_blocks, rng).with_cost(table)
    try:
        limit = resolve_budget(float(budget), table, resource)
    except ValueError as error:
        why = str(error) if isinstance(error, InputError) else f"{budget!r} is not a number"
        raise InputError(f"tree {name!r}: {why}") from None
    return random_tree(tasks, table, limit, resource=resource, rng=rng)
