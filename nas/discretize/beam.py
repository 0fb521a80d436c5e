"""Chains of partitions of many tasks: the programme of `nas.discretize.chains` on a growing pool of partitions."""

import numpy as np

from nas.discretize.allowed import Allowed
from nas.discretize.chains import Chains, Programme
from nas.discretize.lattice import Floats, Ints, Lattice
from nas.discretize.objective import Objective
from nas.discretize.regrouping import best_moves, merge_greedily

NUM_ROUNDS = 8
POOL_SIZE = 2000
BEAM_WIDTH = 24
NUM_MOVES = 6
NUM_GRAINS = 2000


def beam_search(
    objective: Objective,
    cost_L: Floats,
    *,
    max_cost: float = np.inf,
    allowed: Allowed | None = None,
    cheapest_LT: Ints | None = None,
) -> tuple[Programme, Chains]:
    """Find good chains of refining partitions of many tasks, from a pool of partitions.

    The pool starts with the fully shared and the fully separate partition, and with the results of greedy merging for
    each block l alone, for blocks 0, ..., l, and for blocks l, ..., L-1. `Programme` finds the best chains in the pool.
    Then there are up to `NUM_ROUNDS` rounds. Each takes `BEAM_WIDTH` chains spread over the curve, and, for each run of
    consecutive blocks with the same partition in a chain, adds to the pool

    - the results of greedy merging between the partition after the run and the partition before it;
    - of each kind of step, the `NUM_MOVES` best partitions one step away from the run's own, judged by the whole run,
      by its first block and by its last block.

    Partitions that no chain uses are dropped if the pool exceeds `POOL_SIZE`. If a round does not change the curve, the
    best partitions one step away from any partition of the pool are added; if the pool is full as well, the search
    ends. Labels are thinned to one in each of `NUM_GRAINS` intervals of cost.

    Under constraints the programme uses allowed partitions only, so every chain keeps them, and the pool also starts
    with the cheapest allowed chain. Merges and steps then use changed dissimilarities, so that they lead to allowed
    partitions: those of pairs with a constraint outweigh all others together.

    Measured against the exact programme for 8 and 9 tasks, 5 to 18 blocks, random dissimilarities
    (tools/bench_discretize.py): values are higher by at most 0.1 % of the curve's range of values on average over the
    curve, and by 3 % at the worst point. On one core, 15 tasks and 8 blocks take 1.5 s, 40 tasks and 6 blocks 3.4 s,
    40 tasks and 18 blocks 18 s.

    Args:
        cost_L: cost of one group, >= 0.
        max_cost: as in `Programme.chains`; at least the cost of the cheapest allowed chain.
        allowed: constraints; by default none.
        cheapest_LT: labels of the cheapest allowed chain; by default the fully shared one.

    Returns:
        the programme over the last pool, and its chains; the first is the cheapest allowed chain or beats it.
    """
    num_blocks, num_tasks, _ = objective.rounded_LTT.shape
    # Sums over blocks a, ..., b-1 are until[b] - until[a].
    pull_LTT = objective.rounded_LTT if allowed is None else _pulled(objective.rounded_LTT, allowed)
    until_LTT = np.concatenate([np.zeros((1, num_tasks, num_tasks)), np.cumsum(pull_LTT, axis=0)])
    shared_1T, separate_1T = np.zeros((1, num_tasks), np.int64), np.arange(num_tasks)[None]
    cheapest_LT = shared_1T if cheapest_LT is None else cheapest_LT
    windows = {window for l in range(num_blocks) for window in ((l, l + 1), (0, l + 1), (l, num_blocks))}
    start, stop = np.array(sorted(windows)).T
    found_PT = merge_greedily(
        np.repeat(separate_1T, len(start), axis=0),
        np.repeat(shared_1T, len(start), axis=0),
        until_LTT[stop] - until_LTT[start],
    )
    used_PT = np.empty((0, num_tasks), np.int64)
    before: Chains | None = None
    for _ in range(NUM_ROUNDS):
        pool_PT = _first_distinct(np.concatenate([shared_1T, separate_1T, cheapest_LT, used_PT, found_PT]), POOL_SIZE)
        lattice = Lattice.of_pool(pool_PT)
        programme = Programme(
            lattice,
            objective.values(lattice),
            cost_L,
            None if allowed is None else allowed.mask(lattice),
            grain=float(cost_L.sum()) * (num_tasks - 1) / NUM_GRAINS,
        )
        chains = programme.chains(max_cost)
        stays = before is not None and np.array_equal(before.value_K, chains.value_K)
        if stays and len(pool_PT) == POOL_SIZE:
            break
        before = chains
        used_PT = lattice.labels_PT[np.unique(chains.partition_KL)]
        found_PT = np.concatenate([_neighbours(lattice, chains, until_LTT), lattice.labels_PT])
        if stays:
            whole_PTT = np.broadcast_to(until_LTT[-1], (len(lattice.labels_PT), num_tasks, num_tasks))
            found_PT = np.concatenate([found_PT, best_moves(lattice.labels_PT, whole_PTT, NUM_MOVES)])
    return programme, chains


def _pulled(dissimilarity_LTT: Floats, allowed: Allowed) -> Floats:
    """Dissimilarities for merging, in which those of constrained pairs outweigh all others in any group."""
    num_blocks, num_tasks, _ = dissimilarity_LTT.shape
    force = num_blocks * num_tasks**2 * (np.abs(dissimilarity_LTT).max() or 1.0)
    pulled_LTT: Floats = dissimilarity_LTT + force * allowed.apart_LTT - force * allowed.together_LTT
    return pulled_LTT * ~np.eye(num_tasks, dtype=bool)


def _neighbours(lattice: Lattice, chains: Chains, until_LTT: Floats) -> Ints:
    """Partitions that could improve chains spread over the curve."""
    chosen = np.unique(np.linspace(0, len(chains.cost_K) - 1, BEAM_WIDTH).astype(np.int64))
    num_blocks, shared, separate = chains.partition_KL.shape[1], 0, len(lattice.labels_PT) - 1
    gaps, steps = set(), set()
    for chain in chains.partition_KL[chosen].tolist():
        bounds = [l for l in range(1, num_blocks) if chain[l] != chain[l - 1]]
        for start, stop in zip([0, *bounds], [*bounds, num_blocks], strict=True):
            coarse = shared if start == 0 else chain[start - 1]
            fine = separate if stop == num_blocks else chain[stop]
            gaps.add((fine, coarse, start, stop))
            steps |= {(chain[start], *run) for run in ((start, stop), (start, start + 1), (stop - 1, stop))}
    fine_N, coarse_N, start_N, stop_N = np.array(sorted(gaps)).T
    labels_PT = lattice.labels_PT
    merged_PT = merge_greedily(labels_PT[fine_N], labels_PT[coarse_N], until_LTT[stop_N] - until_LTT[start_N])
    own_N, start_N, stop_N = np.array(sorted(steps)).T
    moved_PT = best_moves(labels_PT[own_N], until_LTT[stop_N] - until_LTT[start_N], NUM_MOVES)
    return np.concatenate([merged_PT, moved_PT])


def _first_distinct(labels_PT: Ints, number: int) -> Ints:
    _, first = np.unique(labels_PT, axis=0, return_index=True)
    return labels_PT[np.sort(first)[:number]]
