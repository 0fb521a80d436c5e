"""Partitions and covers, against their definitions."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.discretize.lattice import Lattice, canonical, ranges


def refines(fine: list[int], coarse: list[int]) -> bool:
    pairs = itertools.combinations(range(len(fine)), 2)
    return all(coarse[s] == coarse[t] for s, t in pairs if fine[s] == fine[t])


def covers_by_definition(labels: list[list[int]]) -> set[tuple[int, int]]:
    proper = {
        (p, q) for p, q in itertools.permutations(range(len(labels)), 2) if refines(fine=labels[q], coarse=labels[p])
    }
    return {(p, q) for p, q in proper if not any((p, r) in proper and (r, q) in proper for r in range(len(labels)))}


@pytest.mark.parametrize(("num_tasks", "bell"), [(1, 1), (2, 2), (3, 5), (4, 15), (5, 52), (6, 203), (8, 4140)])
def test_all_partitions_are_there_once_from_coarse_to_fine(num_tasks, bell):
    lattice = Lattice.of_all(num_tasks)
    assert len(lattice.labels_PT) == bell == len(np.unique(lattice.labels_PT, axis=0))
    assert np.array_equal(canonical(lattice.labels_PT), lattice.labels_PT)
    assert bool((np.diff(lattice.num_groups_P) >= 0).all())
    # A partition of k groups is covered by the k (k - 1) / 2 ways to merge two of them.
    groups_P = lattice.num_groups_P
    assert len(lattice.covers) == (groups_P * (groups_P - 1) // 2).sum()


@pytest.mark.parametrize("num_tasks", [1, 2, 3, 4])
def test_covers_are_the_definition(num_tasks):
    lattice = Lattice.of_all(num_tasks)
    assert set(map(tuple, lattice.covers.tolist())) == covers_by_definition(lattice.labels_PT.tolist())


def test_a_pool_of_all_partitions_has_the_same_covers():
    every = Lattice.of_all(5)
    pool = Lattice.of_pool(every.labels_PT[np.random.default_rng(0).permutation(52)])

    def named(lattice: Lattice) -> set[tuple[tuple[int, ...], ...]]:
        return {tuple(tuple(lattice.labels_PT[p].tolist()) for p in pair) for pair in lattice.covers}

    assert named(pool) == named(every)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 51), min_size=1, max_size=20))
def test_covers_of_a_pool_are_the_definition(chosen):
    pool = Lattice.of_pool(Lattice.of_all(5).labels_PT[chosen])
    assert len(pool.labels_PT) == len(set(chosen))
    assert set(map(tuple, pool.covers.tolist())) == covers_by_definition(pool.labels_PT.tolist())
    assert sum(len(covers) for _, _, covers in pool.levels) == len(pool.covers)


def test_canonical_labels_number_groups_by_first_members():
    assert canonical(np.array([[2, 0, 2, 7], [1, 1, 0, 0]])).tolist() == [[0, 1, 0, 2], [0, 0, 1, 1]]


def test_ranges():
    assert ranges(np.array([5, 0, 2]), np.array([2, 0, 3])).tolist() == [5, 6, 2, 3, 4]
    assert ranges(np.array([], int), np.array([], int)).tolist() == []
