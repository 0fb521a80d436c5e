"""How close the second-best tree is, and in which decision it differs from the best one."""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from nas.discretize.curve import Curve
from nas.discretize.lattice import Floats
from nas.tree import BranchTree, describe_difference


@dataclass(frozen=True)
class Margin:
    """The best and the second-best tree within a budget.

    Args:
        tree: the best tree.
        runner_up: the second-best tree; it may cost more or less.
        gap: value of the runner-up minus value of the best tree, in units of the dissimilarity; 0 for a tie.
        block: the first block at which the two differ.
    """

    tree: BranchTree
    runner_up: BranchTree
    gap: float
    block: int

    def decision(self) -> str:
        """The first decision in which the two trees differ, in words; "the first tree" is the best one."""
        return describe_difference(self.tree, self.runner_up)[0]

    def noise(self, error_LTT: ArrayLike) -> float:
        """The standard deviation of the gap, for independent errors of the dissimilarities.

            sqrt( sum_l sum_{s<t} error_l(s, t)^2 (w_l(s, t) - w'_l(s, t))^2 )

        with w_l(s, t) = 1/|G| if s and t are in a group G of the best tree at block l, and 0 otherwise; w' is the same
        for the runner-up.

        Args:
            error_LTT: standard deviation of each dissimilarity, [L, T, T], or one number for all. Tasks are in the
                tree's order.
        """
        tasks = self.tree.tasks
        squared_LTT = np.square(
            np.broadcast_to(np.asarray(error_LTT, float), (len(self.tree.blocks), *[len(tasks)] * 2))
        )
        difference_LTT = _weights(self.tree, tasks) - _weights(self.runner_up, tasks)
        return float(np.sqrt((squared_LTT * np.square(difference_LTT)).sum() / 2))


def margin(curve: Curve, budget: float) -> Margin | None:
    """Compare the best tree within a budget with the second-best one; None if there is only one tree.

    Any other tree has a first block l at which it differs: before l it has the partitions of the best tree, and at l
    another one. So the programme runs once for each of the L blocks. The mask fixes the partitions before the block and
    forbids the best tree's partition at it. The lowest of the L values is the runner-up's (Lawler, Management Science
    18(7), 1972). Later blocks take less time, because few partitions refine a fixed one: with 8 tasks and 18 blocks,
    all runs together took 1.3 to 2.8 times one discretisation.
    For more than `EXACT_TASKS` tasks, the runs use the last pool of the beam search, and the gap may be too large.

    Args:
        curve: a result of `discretize`, with no ``max_cost`` below the budget.
        budget: an absolute amount.

    Raises:
        InputError: no tree of the curve is that cheap.
    """
    k = curve.index_within(budget)
    source, table, resource = curve.source, curve.table, curve.resource
    assert source is not None, "only a curve from `discretize` has a source"
    programme, best_L = source.programme, source.partition_KL[k]
    limit = budget * (1.0 + 1e-12) - table.total(resource, [0] * len(best_L), curve.tasks)
    free_LP = np.ones_like(programme.value_LP, np.bool_) if programme.allowed_LP is None else programme.allowed_LP
    found = []
    for l in range(len(best_L)):
        mask_LP = free_LP.copy()
        mask_LP[:l] = False
        mask_LP[np.arange(l), best_L[:l]] = True
        mask_LP[l, best_L[l]] = False
        chains = replace(programme, allowed_LP=mask_LP).chains(limit)
        cost_K = table.total(resource, programme.lattice.num_groups_P[chains.partition_KL].T, curve.tasks)
        fits = np.flatnonzero(cost_K <= budget)
        if fits.size:
            last = fits[-1]
            found.append((int(chains.value_K[last]), l, chains.partition_KL[last]))
    if not found:
        return None
    value, block, partition_L = min(found, key=lambda other: other[:2])
    choices_LT = programme.lattice.labels_PT[partition_L]
    runner_up = BranchTree.from_choices(curve.tasks, choices_LT.tolist()).with_cost(table)
    # A tree that is better by no more than rounding is a tie.
    gap = max(0.0, value * source.unit - float(curve.value_K[k]))
    return Margin(curve[k].tree, runner_up, gap, block)


def value_of(tree: BranchTree, dissimilarity_LTT: ArrayLike) -> float:
    """The sum that discretisation minimises, for one tree; tasks are in the tree's order.

    sum_l sum_{G in P_l} (1/|G|) sum_{s<t in G} d_l(s, t)
    """
    return float((_weights(tree, tree.tasks) * np.asarray(dissimilarity_LTT, float)).sum() / 2)


def _weights(tree: BranchTree, tasks: tuple[str, ...]) -> Floats:
    """1/|G| for each pair within a group G, 0 for others and on the diagonal, [L, T, T]."""
    place = {task: t for t, task in enumerate(tasks)}
    weight_LTT = np.zeros((len(tree.partitions), len(tasks), len(tasks)))
    for l, partition in enumerate(tree.partitions):
        for group in partition:
            for s, t in combinations([place[task] for task in group], 2):
                weight_LTT[l, s, t] = weight_LTT[l, t, s] = 1.0 / len(group)
    return weight_LTT
