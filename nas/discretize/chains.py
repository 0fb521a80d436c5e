"""All non-dominated chains of refining partitions, by label-setting dynamic programming over (block, partition)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.discretize.lattice import Floats, Ints, Lattice, ranges

MAX_VALUE = 2**48
"""Bound of a chain's absolute value, so that the values of 2^13 partitions fit into disjoint ranges of an int64."""


@dataclass(frozen=True)
class Chains:
    """K non-dominated chains of partitions, by ascending cost and so by descending value."""

    cost_K: Floats
    value_K: Ints
    partition_KL: Ints


@dataclass(frozen=True, eq=False)
class Programme:
    """A search for the chains P_0 >= P_1 >= ... >= P_{L-1}, each refining the one before.

        cost = sum_l cost_L[l] * (number of groups of P_l)        value = sum_l value_LP[l, P_l]

    Args:
        lattice: P partitions.
        value_LP: sums over any chain stay within `MAX_VALUE`.
        cost_L: cost of one group, >= 0.
        allowed_LP: the partitions that each block may have; by default all.
        grain: if positive, of all labels of a partition with costs in the same interval of this width, only the one
            with the lowest value is kept, so some non-dominated chains may be missing.
    """

    lattice: Lattice
    value_LP: Ints
    cost_L: Floats
    allowed_LP: NDArray[np.bool_] | None = None
    grain: float = 0.0

    def chains(self, max_cost: float = np.inf) -> Chains:
        """The chains that no other beats in cost and value.

        From the first block to the last, each partition keeps its non-dominated labels (cost, value). They are the
        labels of all partitions that it refines, plus its own cost and value at the block. Costs are real numbers and
        are not binned. Values are integers, so sums do not depend on the order of additions; among equal values the
        cheaper chain wins. The time grows with the number of labels times covers: 8 tasks and the MACs of MobileNetV2's
        18 blocks take 1.2 s and 0.1 GB (tools/bench_discretize.py); with 18 different costs, and 430,000 labels at the
        last block, 3.5 s and 0.15 GB.

        Args:
            max_cost: chains that cost more are left out; a chain within rounding of it may be kept or left out.
        """
        lattice, cost_L, allowed_LP = self.lattice, self.cost_L, self.allowed_LP
        num_groups_P = lattice.num_groups_P
        rest_L = np.append(np.cumsum(cost_L[::-1])[::-1], 0.0)
        origin = partition = np.arange(len(num_groups_P))
        cost, value = np.zeros(len(partition)), np.zeros(len(partition), np.int64)
        trail: list[tuple[NDArray[np.int16], NDArray[np.int32]]] = []
        for l, cost_of_group in enumerate(cost_L):
            if l > 0:
                partition, origin = _best_so_far(lattice, partition, cost, value, self.grain)
            cost = cost[origin] + cost_of_group * num_groups_P[partition]
            value = value[origin] + self.value_LP[l, partition]
            kept = cost + rest_L[l + 1] * num_groups_P[partition] <= max_cost
            if allowed_LP is not None:
                kept &= allowed_LP[l, partition]
            cost, value, partition, origin = cost[kept], value[kept], partition[kept], origin[kept]
            trail.append((partition.astype(np.int16), origin.astype(np.int32)))
        best = nondominated(cost, value)
        chains = Chains(cost[best], value[best], np.empty((len(best), len(cost_L)), np.int64))
        for l in reversed(range(len(cost_L))):
            partition_N, origin_N = trail[l]
            chains.partition_KL[:, l] = partition_N[best]
            best = origin_N[best].astype(np.int64)
        return chains


def _best_so_far(lattice: Lattice, partition: Ints, cost: Floats, value: Ints, grain: float) -> tuple[Ints, Ints]:
    """The non-dominated labels of the partitions that each partition refines (itself included).

    Labels are represented by their ranks in the order of (cost, value). So sorting integers orders each partition's
    labels, and a running minimum of values finds the dominated ones.

    Args:
        partition, cost, value: of N labels, grouped by partition, from coarse to fine.

    Returns:
        the partitions of the kept labels, in the same order, and their indices among the N.
    """
    by_rank = np.lexsort((value, cost))
    rank = np.empty_like(by_rank)
    rank[by_rank] = np.arange(len(by_rank))
    value_R, bucket_R = value[by_rank], np.floor(cost[by_rank] / grain) if grain > 0 else None
    bits = len(by_rank).bit_length()
    own = np.searchsorted(partition, np.arange(len(lattice.labels_PT) + 1))
    start_P, length_P = np.zeros((2, len(lattice.labels_PT)), np.int64)
    best_partition, best_rank = np.empty((2, 0), np.int64)
    for first, last, covers in lattice.levels:
        coarse, fine = covers.T
        mine = slice(own[first], own[last])
        inherited = best_rank[ranges(start_P[coarse], length_P[coarse])]
        key = np.concatenate([partition[mine], np.repeat(fine, length_P[coarse])]) << bits
        key |= np.concatenate([rank[mine], inherited])
        key.sort()
        segment, ranks = key >> bits, key & ((1 << bits) - 1)
        # An offset between partitions, greater than any value, restarts the running minimum.
        stepped = value_R[ranks] - (segment - first) * (2 * MAX_VALUE + 1)
        kept = _falls(stepped)
        segment, ranks = segment[kept], ranks[kept]
        if bucket_R is not None:
            bucket = bucket_R[ranks]
            thinned = np.ones(len(segment), np.bool_)
            thinned[:-1] = (segment[1:] != segment[:-1]) | (bucket[1:] != bucket[:-1])
            segment, ranks = segment[thinned], ranks[thinned]
        bounds = np.searchsorted(segment, np.arange(first, last + 1))
        start_P[first:last] = len(best_rank) + bounds[:-1]
        length_P[first:last] = np.diff(bounds)
        best_partition, best_rank = np.append(best_partition, segment), np.append(best_rank, ranks)
    return best_partition, by_rank[best_rank]


def nondominated(cost: Floats, value: Ints) -> Ints:
    """Indices of the pairs that no other pair beats, by ascending cost; of equal pairs the first."""
    by_cost = np.lexsort((value, cost))
    return by_cost[_falls(value[by_cost])]


def _falls(value: Ints) -> NDArray[np.bool_]:
    """Where a sequence is below all its earlier values."""
    falls = np.ones(len(value), np.bool_)
    falls[1:] = value[1:] < np.minimum.accumulate(value)[:-1]
    return falls
