"""Greedy merges between two partitions, and the best single steps from a partition, for many partitions at once.

Shapes: N partitions of T tasks; groups G are padded to T, with empty groups at the end.
"""

import numpy as np

from nas.discretize.lattice import Floats, Ints, canonical


def merge_greedily(fine_NT: Ints, coarse_NT: Ints, dissimilarity_NTT: Floats) -> Ints:
    """The partitions on the way from each fine partition to its coarse one, both included; each step is the best merge.

    This is agglomerative clustering with the objective sum_G (1/|G|) sum_{s<t in G} d(s, t). Groups merge only within a
    group of the coarse partition.

    Args:
        fine_NT, coarse_NT: canonical labels; each fine partition refines its coarse one.
        dissimilarity_NTT: symmetric, with a zero diagonal.
    """
    num_tasks = fine_NT.shape[1]
    groups = _Groups(fine_NT, dissimilarity_NTT)
    # The coarse group of each fine group; an empty group gets its own, so that it never merges.
    coarse_NG = np.where(groups.member_NTG, coarse_NT[:, :, None], -1).max(axis=1)
    coarse_NG = np.where(groups.size_NG > 0, coarse_NG, num_tasks + np.arange(num_tasks))
    allowed_NGG = (coarse_NG[:, :, None] == coarse_NG[:, None, :]) & ~np.eye(num_tasks, dtype=bool)
    between_NGG, within_NG, size_NG = groups.between_NGG, groups.within_NG, groups.size_NG
    labels_NT, found = fine_NT.copy(), [fine_NT]
    for _ in range(num_tasks - 1):
        gain_NGG = np.where(allowed_NGG, _merge_gain(between_NGG, within_NG, size_NG), np.inf)
        n, _, i, j = _lowest(gain_NGG, 1)
        if len(n) == 0:
            break
        labels_NT[n] = np.where(labels_NT[n] == j[:, None], i[:, None], labels_NT[n])
        within_NG[n, i] += within_NG[n, j] + between_NGG[n, i, j]
        size_NG[n, i] += size_NG[n, j]
        between_NGG[n, i, :] += between_NGG[n, j, :]
        between_NGG[n, :, i] += between_NGG[n, :, j]
        allowed_NGG[n, j, :] = allowed_NGG[n, :, j] = False
        found.append(labels_NT[n].copy())
    return canonical(np.concatenate(found))


def best_moves(labels_NT: Ints, dissimilarity_NTT: Floats, num_moves: int) -> Ints:
    """For each partition, the best partitions one step away: ``num_moves`` for each kind of step, the best first.

    A step moves a task to another group, moves it to a new group, or merges two groups. The best step decreases
    sum_G (1/|G|) sum_{s<t in G} d(s, t) most, or increases it least.

    Args:
        labels_NT: canonical.
        dissimilarity_NTT: symmetric, with a zero diagonal.
    """
    index = np.arange(labels_NT.shape[1])
    groups = _Groups(labels_NT, dissimilarity_NTT)
    num_groups_N = labels_NT.max(axis=1) + 1
    filled_NG = index < num_groups_N[:, None]
    next_NG = index == num_groups_N[:, None]
    within_NT, size_NT = (np.take_along_axis(sums, labels_NT, axis=1) for sums in (groups.within_NG, groups.size_NG))
    to_own_NT = np.take_along_axis(groups.to_group_NTG, labels_NT[:, :, None], axis=2)[:, :, 0]
    leave_NT = _mean(within_NT - to_own_NT, size_NT - 1) - within_NT / size_NT
    joined_NTG = (groups.within_NG[:, None, :] + groups.to_group_NTG) / (groups.size_NG[:, None, :] + 1)
    move_NTG = leave_NT[:, :, None] + joined_NTG - _mean(groups.within_NG, groups.size_NG)[:, None, :]
    found, ranks = [], []
    for allowed_NTG in (filled_NG[:, None, :] & ~groups.member_NTG, next_NG[:, None, :] & (size_NT > 1)[:, :, None]):
        n, rank, task, target = _lowest(np.where(allowed_NTG, move_NTG, np.inf), num_moves)
        moved = labels_NT[n]
        moved[np.arange(len(n)), task] = target
        found.append(moved)
        ranks.append(rank)
    pairs_NGG = filled_NG[:, :, None] & filled_NG[:, None, :] & (index[:, None] < index)
    merge_NGG = _merge_gain(groups.between_NGG, groups.within_NG, groups.size_NG)
    n, rank, first, other = _lowest(np.where(pairs_NGG, merge_NGG, np.inf), num_moves)
    found.append(np.where(labels_NT[n] == other[:, None], first[:, None], labels_NT[n]))
    ranks.append(rank)
    return canonical(np.concatenate(found)[np.argsort(np.concatenate(ranks), kind="stable")])


def _lowest(gain_NXY: Floats, number: int) -> tuple[Ints, Ints, Ints, Ints]:
    """The ``number`` lowest finite entries for each n (or fewer): their n, rank, x and y."""
    flat = gain_NXY.reshape(len(gain_NXY), -1)
    number = min(number, flat.shape[1])
    order = np.argpartition(flat, number - 1, axis=1)[:, :number]
    order = np.take_along_axis(order, np.argsort(np.take_along_axis(flat, order, axis=1), axis=1), axis=1)
    n, rank = np.nonzero(np.isfinite(np.take_along_axis(flat, order, axis=1)))
    x, y = np.divmod(order[n, rank], gain_NXY.shape[2])
    return n, rank, x, y


class _Groups:
    """Sums of dissimilarities within and between groups."""

    def __init__(self, labels_NT: Ints, dissimilarity_NTT: Floats) -> None:
        self.member_NTG = labels_NT[:, :, None] == np.arange(labels_NT.shape[1])
        member_NTG = self.member_NTG.astype(np.float64)
        self.to_group_NTG = dissimilarity_NTT @ member_NTG
        self.between_NGG = np.swapaxes(member_NTG, 1, 2) @ self.to_group_NTG
        self.within_NG = np.diagonal(self.between_NGG, axis1=1, axis2=2) / 2
        self.size_NG = member_NTG.sum(axis=1)


def _merge_gain(between_NGG: Floats, within_NG: Floats, size_NG: Floats) -> Floats:
    mean_NG = _mean(within_NG, size_NG)
    merged_NGG = within_NG[:, :, None] + within_NG[:, None, :] + between_NGG
    size_NGG = size_NG[:, :, None] + size_NG[:, None, :]
    return _mean(merged_NGG, size_NGG) - mean_NG[:, :, None] - mean_NG[:, None, :]


def _mean(total: Floats, size: Floats) -> Floats:
    """total / size, and 0 for an empty group."""
    return np.divide(total, size, out=np.zeros_like(total), where=size > 0)
