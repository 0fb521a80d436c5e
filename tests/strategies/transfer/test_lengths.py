"""What trainings of several lengths, of single tasks and of equal trees say about full trainings."""

import math

import numpy as np
import pytest
import torch
from planted_sharing import error_of, planted, task_names

from nas.strategies.transfer import TransferModel
from nas.strategies.transfer.preparation import trainings_of
from nas.strategies.transfer.sharing import sharing_of
from nas.tree import BranchTree

TASKS = task_names(4)
BLOCKS = 3


def continued(seed, num_full, sign=1.0, shuffled=False):
    """The first of forty short trainings are continued to the full length, which shares most of their luck.

    Returns:
        the errors of the model of the full trainings alone and of that of all, and the latter model.
    """
    rng = np.random.default_rng(1000 + seed)
    _, trees, gains_NT, _ = planted(seed, count=60)
    luck_NT = rng.normal(size=(40, 4))
    short_NT = sign * gains_NT[:40] + luck_NT
    full_NT = (gains_NT[:40] + 0.8 * luck_NT + 0.6 * rng.normal(size=(40, 4)))[:num_full]
    if shuffled:
        short_NT = rng.permuted(short_NT, axis=0)
    alone = TransferModel.fit(trees[:num_full], full_NT)
    both = TransferModel.fit(
        [*trees[:40], *trees[:num_full]],
        np.vstack([short_NT, full_NT]),
        lengths_N=[0.3] * 40 + [1.0] * num_full,
    )
    return error_of(alone, trees[40:], gains_NT[40:]), error_of(both, trees[40:], gains_NT[40:]), both


def test_short_trainings_help_if_they_agree():
    alone, both = np.mean([continued(seed, num_full=6)[:2] for seed in range(10, 18)], axis=0)
    assert both < 0.75 * alone


def test_short_trainings_that_say_nothing_do_little_harm():
    alone, both = np.mean([continued(seed, num_full=12, shuffled=True)[:2] for seed in range(10, 18)], axis=0)
    assert both < 1.15 * alone


def test_the_correlation_of_the_lengths_is_learned():
    _, _, agreeing = continued(20, num_full=20)
    _, _, opposite = continued(20, num_full=20, sign=-1.0)
    # Luck that the lengths share keeps it above 0 even for opposite effects.
    assert agreeing.alike(0.3).min() > 0.6 > opposite.alike(0.3).max()
    assert agreeing.shortest == pytest.approx(0.3)


def test_single_task_trees_count():
    """Full sharing alone tells gains only together with the tasks alone."""
    shared = BranchTree.shared(TASKS[:2], 2)
    alone = [BranchTree.shared([task], 2) for task in TASKS[:2]]
    nan = math.nan
    results = [[4.0, -6.0], [4.2, -5.8], [0.0, nan], [0.2, nan], [nan, 0.0], [nan, 0.2]]
    model = TransferModel.fit([shared, shared, alone[0], alone[0], alone[1], alone[1]], results)
    mean_NT, std_NT = model.gains([shared])
    # Replicates differ by 0.2; the prior, of the spread's size, shrinks by less than a quarter of the gain.
    assert mean_NT[0].tolist() == pytest.approx([4.0, -6.0], rel=0.25)
    assert (std_NT < 2.0).all()
    without = TransferModel.fit([shared, shared], results[:2])
    assert (without.gains([shared])[1] > std_NT).all() or without.gains([shared])[0].abs().max() < 1.0


def test_equal_rows_are_replicates_and_stages_are_not():
    """Ten trainings of one tree with other seeds tell more than the ten first lengths of one training."""
    _, trees, _, results_NT = planted(seed=7, count=12, noise=3.0)
    again_NT = results_NT[:1] + np.random.default_rng(7).normal(size=(8, 4)) * 3.0
    replicated = TransferModel.fit([*trees, *trees[:1] * 8], np.vstack([results_NT, again_NT]))
    once = TransferModel.fit(trees, results_NT)
    assert (replicated.gains(trees[:1])[1] <= once.gains(trees[:1])[1] * 1.05).all()
    x_NTLT = sharing_of([*trees[:1] * 3], TASKS)
    same_NN = trainings_of(
        *(
            trees[:1] * 3,
            x_NTLT,
            torch.zeros(3, 4),
            torch.zeros(BLOCKS, 4, 4, dtype=torch.float64),
            torch.tensor([0.0, 0.0, -1.0]),
            torch.tensor([0, 0, 0]),
        )
    ).same_NN
    assert same_NN.tolist() == [[True, False, True], [False, True, False], [True, False, True]]
