"""Whether a tree is better than others on its own data: what a planted problem has to show before it tests a search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from nas.data import derive_seed
from nas.errors import InputError
from nas.training.measured import Measured
from nas.tree import BranchTree, CostTable, random_tree

MARGIN = 0.25
"""How much greater than the planted tree's the others' loss has to be, as a share."""

_TOLERANCE = 0.05
"""How far below the planted tree's cost a random tree may cost, as a share."""

_DRAWS = 20
"""Random trees that are drawn at most for each that is asked for."""


@dataclass(frozen=True)
class Validity:
    """Test losses, relative to the planted tree's, and what follows from them.

        valid  iff  mean of random >= 1 + margin  and  shared >= 1 + margin

    If random trees of equal cost were as good, finding the planted one would be no achievement; if the shared tree
    were, the cheapest answer would be right. The separate tree plays no part: it may be better, at its cost.

    Args:
        planted: the planted tree's test loss, mean over tasks and seeds; the unit of the others.
        random: of each random tree of equal cost.
        shared, separate: of the cheapest and the dearest tree.
        margin: of the rule.
    """

    planted: float
    random: tuple[float, ...]
    shared: float
    separate: float
    margin: float = MARGIN

    @property
    def valid(self) -> bool:
        return min(fmean(self.random), self.shared) >= 1 + self.margin


def contenders(tree: BranchTree, table: CostTable, num_random: int, *, seed: int = 0) -> dict[str, BranchTree]:
    """What a validity is judged by: "planted", "shared", "separate", and "random0", ...

    Random trees are distinct, are not the planted one, and cost at most as much and at least 95 % of it.

    Raises:
        InputError: there is no such tree.
    """
    num_blocks = len(table.blocks)
    target = table.tree_cost(tree)["macs"]
    found: list[BranchTree] = []
    for i in range(_DRAWS * num_random):
        if len(found) == num_random:
            break
        rng = np.random.default_rng(derive_seed("validity", seed, tree.id, i))
        drawn = random_tree(tree.tasks, table, target, tolerance=_TOLERANCE, rng=rng)
        if drawn != tree and drawn not in found:
            found.append(drawn)
    if not found:
        raise InputError(f"no tree but {tree.id} itself costs {target:g} MACs, so nothing can be asked of it")
    others = {
        "shared": BranchTree.shared(tree.tasks, num_blocks),
        "separate": BranchTree.separate(tree.tasks, num_blocks),
    }
    return {"planted": tree, **others, **{f"random{i}": other for i, other in enumerate(found)}}


def mean_test_loss(measured: Measured) -> float:
    """Mean over the tasks of their losses."""
    return fmean(values["loss"] for values in measured.values())


def judge_validity(losses: Mapping[str, Sequence[float]], margin: float = MARGIN) -> Validity:
    """The verdict on test losses, by the names of `contenders`, one a seed."""
    means = {name: fmean(values) for name, values in losses.items()}
    planted = means["planted"]
    relative = {name: mean / planted for name, mean in means.items()}
    return Validity(
        planted,
        tuple(value for name, value in relative.items() if name.startswith("random")),
        relative["shared"],
        relative["separate"],
        margin,
    )
