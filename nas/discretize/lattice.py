"""Partitions of T tasks as integers, and the cover relation between them: all partitions, or a chosen pool."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lattice:
    """P partitions, from coarse to fine, and their cover relation.

    P covers Q if Q refines P and no third partition of the lattice is between them. A minimum over all partitions that
    Q refines can be collected along covers only, from coarse to fine. For 8 tasks that is 28,337 covers instead of
    163,754 pairs of a partition and a proper refinement.

    Args:
        labels_PT: each task's group; groups are numbered in the order of their first members, so that equal partitions
            have equal labels. Sorted by number of groups.
        covers: pairs (coarse, fine) of indices, sorted by fine, [N, 2].
    """

    labels_PT: Ints
    covers: Ints

    @classmethod
    def of_all(cls, num_tasks: int) -> "Lattice":
        """All Bell(T) partitions, in which a cover merges two groups: 203 for 6 tasks, 4,140 for 8."""
        labels_PT = np.zeros((1, 1), np.int64)
        for _ in range(num_tasks - 1):
            # The next task joins one of the groups or starts a new one.
            choices_P = labels_PT.max(axis=1) + 2
            labels_PT = np.repeat(labels_PT, choices_P, axis=0)
            labels_PT = np.column_stack([labels_PT, ranges(np.zeros_like(choices_P), choices_P)])
        labels_PT = _coarse_to_fine(labels_PT)
        place_T = num_tasks ** np.arange(num_tasks)
        index_of = {number: p for p, number in enumerate((labels_PT @ place_T).tolist())}
        covers = []
        for i in range(num_tasks):
            for j in range(i + 1, num_tasks):
                fine = np.flatnonzero(labels_PT.max(axis=1) >= j)
                merged_PT = labels_PT[fine]
                merged_PT = np.where(merged_PT == j, i, merged_PT - (merged_PT > j))
                coarse = [index_of[number] for number in (merged_PT @ place_T).tolist()]
                covers.append(np.column_stack([coarse, fine]))
        return cls(labels_PT, _by_fine(covers))

    @classmethod
    def of_pool(cls, labels_PT: Ints) -> "Lattice":
        """A lattice of given partitions, in any order; duplicates count once."""
        labels_PT = _coarse_to_fine(np.unique(labels_PT, axis=0))
        # Q refines P iff every task shares its group in P with the first member of its group in Q.
        # Small and transposed, because this reads P^2 T numbers.
        labels_TP = np.ascontiguousarray(labels_PT.T.astype(np.int16))
        first_PT = first_members(labels_PT)
        refined_PP = np.stack([(labels_TP[first_T] == labels_TP).all(axis=0) for first_T in first_PT], axis=1)
        np.fill_diagonal(refined_PP, False)
        # Single precision counts exactly up to 2^24, far above any number of partitions.
        between_PP = refined_PP.astype(np.float32) @ refined_PP.astype(np.float32) > 0
        return cls(labels_PT, _by_fine([np.argwhere(refined_PP & ~between_PP)]))

    @property
    def num_groups_P(self) -> Ints:
        largest_P: Ints = self.labels_PT.max(axis=1)
        return largest_P + 1

    @property
    def levels(self) -> list[tuple[int, int, Ints]]:
        """For each number of groups, ascending: the first of its partitions, one past the last, and their covers."""
        _, first = np.unique(self.num_groups_P, return_index=True)
        bounds = [*first.tolist(), len(self.labels_PT)]
        cuts = np.searchsorted(self.covers[:, 1], bounds)
        return [(bounds[k], bounds[k + 1], self.covers[cuts[k] : cuts[k + 1]]) for k in range(len(first))]


def canonical(labels_PT: Ints) -> Ints:
    """Groups renumbered in the order of their first members."""
    first_PT = first_members(labels_PT)
    starts_PT = first_PT == np.arange(labels_PT.shape[1])
    number_PT: Ints = np.cumsum(starts_PT, axis=1) - 1
    return np.take_along_axis(number_PT, first_PT, axis=1)


def first_members(labels_PT: Ints) -> Ints:
    """The first task of each task's group."""
    first_PT: Ints = np.argmax(labels_PT[:, :, None] == labels_PT[:, None, :], axis=2)
    return first_PT


def ranges(start: Ints, length: Ints) -> Ints:
    """start[0], start[0] + 1, ... (length[0] of them), then the same for the next."""
    end = np.cumsum(length)
    offset: Ints = np.repeat(start - (end - length), length)
    return offset + np.arange(len(offset))


def _coarse_to_fine(labels_PT: Ints) -> Ints:
    return labels_PT[np.argsort(labels_PT.max(axis=1), kind="stable")]


def _by_fine(covers: list[Ints]) -> Ints:
    pairs = np.concatenate([np.empty((0, 2), np.int64), *covers])
    return pairs[np.argsort(pairs[:, 1], kind="stable")]
