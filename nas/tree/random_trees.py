"""Random branch trees: of any cost, and of a given cost (the control that every search must beat).

A tree over T tasks is the result of T-1 splits of one group into two, each at one of the L blocks or never (then the
tasks share to the end). The cost depends only on *where* the splits are: a split at block s adds one instance of each
block from s on, sum_{l >= s} cost_l. *Which* tasks a split separates does not change the cost.
"""

from collections.abc import Sequence
from itertools import chain, combinations_with_replacement
from math import comb, isfinite

import numpy as np
from numpy.typing import NDArray

from nas.errors import InputError
from nas.tree.branch_tree import BranchTree
from nas.tree.cost_table import CostTable

MAX_ENUMERATED = 500_000
"""The most multisets of split positions that are enumerated; 8 tasks on 18 blocks have 480,700."""

NUM_DRAWS = 2**16

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def random_tree_shape(tasks: Sequence[str], num_blocks: int, rng: np.random.Generator) -> BranchTree:
    """A random tree of any cost.

    The T-1 splits are at independent positions, uniform on the L blocks and "never". Which tasks they separate follows
    Kingman's coalescent: backwards, two random groups merge at every split. Every tree has a positive probability;
    probabilities differ.

    Raises:
        InputError: no tasks, doubled tasks, or no blocks.
    """
    tasks = BranchTree.shared(tasks, num_blocks).tasks
    return _split_at(tasks, num_blocks, rng.integers(num_blocks + 1, size=len(tasks) - 1), rng)


def random_tree(
    tasks: Sequence[str],
    table: CostTable,
    target: float,
    *,
    resource: str = "macs",
    tolerance: float = 0.02,
    rng: np.random.Generator,
) -> BranchTree:
    """A random tree that costs at most ``target``, and at least ``(1 - tolerance) target`` if there is such a tree.

    If there is none, the tree has the highest cost below the target. Trees have the probabilities of
    `random_tree_shape` given that the cost is in this window. Up to `MAX_ENUMERATED` multisets of split
    positions, this is exact. For more, the positions are taken from `NUM_DRAWS` independent vectors drawn with
    ``p(s) ~ exp(lambda sum_{l >= s} cost_l)``, lambda such that their mean cost is the target, weighted back to
    uniform positions; the window and the highest cost then refer to the drawn vectors.

    Args:
        tasks: T task names, each with a head in the table.
        table: what the L blocks, the stem and the heads cost.
        target: an amount of the resource, for the whole tree with stem and heads. Above the fully separate
            tree's cost, no tree costs more than that tree.
        resource: one of the table's resources.
        tolerance: width of the window, as a share of the target, in [0, 1).
        rng: the only source of randomness.

    Returns:
        A tree with the table's names of blocks and its cost.

    Raises:
        InputError: the target is below the fully shared tree's cost; no tasks, unknown tasks or resource; a
            tolerance outside [0, 1).
    """
    shared = BranchTree.shared(tasks, len(table.blocks)).with_cost(table)
    _check(shared, target, resource, tolerance)
    tails = np.cumsum([0.0, *(block[resource] for block in reversed(table.blocks))])[::-1]
    num_splits = len(shared.tasks) - 1
    if comb(num_splits + len(table.blocks), num_splits) <= MAX_ENUMERATED:
        positions, log_weights = _all_positions(num_splits, len(table.blocks))
    else:
        assert shared.cost is not None
        positions, log_weights = _drawn_positions(num_splits, tails, target - shared.cost[resource], rng)

    num_groups = (1 + (positions <= l).sum(axis=1, dtype=np.int64) for l in range(len(table.blocks)))
    costs = table.total(resource, num_groups, shared.tasks)
    highest = costs[costs <= target].max()
    window = np.flatnonzero((costs <= target) & (costs >= min((1 - tolerance) * target, highest)))
    weights = np.exp(log_weights[window] - log_weights[window].max())
    chosen = rng.choice(window, p=weights / weights.sum())
    return _split_at(shared.tasks, len(table.blocks), positions[chosen], rng).with_cost(table)


def _check(shared: BranchTree, target: float, resource: str, tolerance: float) -> None:
    cost = shared.cost or {}
    if resource not in cost:
        raise InputError(f"resource must be one of {list(cost)}, which the cost table has; found {resource!r}")
    if not 0 <= tolerance < 1:
        raise InputError(f"tolerance must be in [0, 1); found {tolerance}")
    if not isfinite(target):
        raise InputError(f"target must be a finite amount of {resource}; found {target}")
    if target < cost[resource]:
        raise InputError(
            f"no tree costs {target} {resource} or less; the smallest feasible target is {cost[resource]} "
            f"{resource}, the cost of the fully shared tree"
        )


def _all_positions(num_splits: int, num_blocks: int) -> tuple[IntArray, FloatArray]:
    """Every ascending vector of split positions, [N, T-1], and up to a constant the log of its number of orders."""
    vectors = combinations_with_replacement(range(num_blocks + 1), num_splits)
    flat = np.fromiter(chain.from_iterable(vectors), np.int64)
    positions = flat.reshape(comb(num_splits + num_blocks, num_splits), num_splits)
    # (T-1)! / prod_s k_s! orders; the product of k_s! is that of every position's rank among its equals.
    log_weights = np.zeros(len(positions))
    rank = np.ones(len(positions))
    for j in range(1, num_splits):
        rank = np.where(positions[:, j] == positions[:, j - 1], rank + 1, 1)
        log_weights -= np.log(rank)
    return positions, log_weights


def _drawn_positions(
    num_splits: int, tails: FloatArray, extra: float, rng: np.random.Generator
) -> tuple[IntArray, FloatArray]:
    """Split positions [N, T-1] whose splits add ``extra`` on average, with log weights back to uniform positions."""
    unit = float(tails[0]) or 1.0
    gain, wanted = tails / unit, extra / unit / num_splits
    # The mean rises with the tilt; these ends put all mass on "never" and on block 0.
    low, high = -1e9, 1e9
    for _ in range(100):
        tilt = (low + high) / 2
        probabilities = np.exp(tilt * gain - (tilt * gain).max())
        probabilities /= probabilities.sum()
        low, high = (tilt, high) if probabilities @ gain < wanted else (low, tilt)
    positions = rng.choice(len(tails), size=(NUM_DRAWS, num_splits), p=probabilities)
    # The fully shared tree's vector, so that there is always one at or below the target.
    positions[0] = len(tails) - 1
    return positions, -tilt * gain[positions].sum(axis=1)


def _split_at(tasks: Sequence[str], num_blocks: int, positions: IntArray, rng: np.random.Generator) -> BranchTree:
    """A tree with splits at these positions (``num_blocks`` means never) of random groups.

    From the last block to the first, two random groups merge at every split: Kingman's coalescent, in which all
    sequences of merges are equally likely.
    """
    groups: list[tuple[str, ...]] = [(task,) for task in tasks]
    partitions = []
    meetings = sorted((int(position) for position in positions), reverse=True)
    for l in range(num_blocks - 1, -1, -1):
        while meetings and meetings[0] > l:
            meetings.pop(0)
            i, j = sorted(int(index) for index in rng.choice(len(groups), size=2, replace=False))
            groups[i] += groups.pop(j)
        partitions.append(tuple(groups))
    return BranchTree(tuple(tasks), tuple(reversed(partitions)))
