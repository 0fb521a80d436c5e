"""A lower bound of what any tree can reach within a budget, for any number of tasks."""

import numpy as np

from nas.discretize.lattice import Floats

_POWERS = np.arange(-10.0, 9.0)
"""Powers of four, around one cost's worth of dissimilarity, at which the price of cost is tried."""


def lower_bound(dissimilarity_LTT: Floats, cost_L: Floats, max_cost: float) -> float:
    """A number that the value of no tree within a cost goes below (`nas.discretize.discretize` has the value).

    A group's value is the sum of what its tasks contribute, each half of its own row, and a group costs as much as its
    tasks' shares of it:

        value(tree) = sum_t sum_l 1/(2 |G_l(t)|) sum_{s in G_l(t)} d_l(t, s),    groups of block l = sum_t 1/|G_l(t)|

    So for a price p >= 0 of cost, with d_l(t, (i)) the i-th smallest dissimilarity of task t at block l,

        value(tree) >= -p max_cost + sum_t min over k_0 >= k_1 >= ...  sum_l b_l(t, k_l)
        b_l(t, k) = 1/k (1/2 sum_{i<k} d_l(t, (i)) + p cost_l)

    because each task's best partners are no worse than those of its group, and groups only get smaller. The result is
    the greatest of these bounds over p. Tasks choose their partners independently in it, so it may be far below the
    value of the best tree: it is near where dissimilarities are like distances, and useless where they are random. It
    takes O(L T^2) numbers for each p.

    Args:
        dissimilarity_LTT: symmetric; the diagonal does not count.
        cost_L: cost of one group, >= 0.
        max_cost: for the groups alone, without stem and heads; infinite for no budget.
    """
    num_tasks = dissimilarity_LTT.shape[1]
    others_LTT = np.where(np.eye(num_tasks, dtype=bool), np.inf, dissimilarity_LTT)
    sorted_LTT = np.sort(others_LTT, axis=2)[:, :, :-1]
    # By size of the group, 1 to T: half of the sum over the nearest others.
    half_LTK = np.concatenate([np.zeros((*sorted_LTT.shape[:2], 1)), np.cumsum(sorted_LTT, axis=2) / 2.0], axis=2)
    size_K = np.arange(1.0, num_tasks + 1.0)

    def at(price: float) -> float:
        best_TK = np.zeros((num_tasks, num_tasks))
        for half_TK, cost in zip(half_LTK, cost_L, strict=True):
            # Groups of the block before are at least as large.
            larger_TK = np.minimum.accumulate(best_TK[:, ::-1], axis=1)[:, ::-1]
            best_TK = larger_TK + (half_TK + price * cost) / size_K
        return float(best_TK.min(axis=1).sum() - (price * max_cost if price else 0.0))

    if not np.isfinite(max_cost) or not cost_L.any():
        return at(0.0)
    unit = float(np.abs(half_LTK).max() / cost_L.max())
    prices = unit * 4.0**_POWERS
    best = max([0.0, *prices], key=at)
    if best and unit:
        # Commands that only read curves start without it.
        from scipy.optimize import minimize_scalar

        # The bound is concave in the price, so its maximum is between the neighbours of the best one tried.
        found = minimize_scalar(lambda price: -at(price), bounds=(best / 4.0, best * 4.0), method="bounded")
        best = max(best, float(found.x), key=at)
    return at(best)
