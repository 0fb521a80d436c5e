"""From losses to results, and which evaluations count."""

import math

import torch

from nas.strategies.evaluator import Evaluation
from nas.strategies.transfer.results import at_both_lengths, longest_of, results_of
from nas.tree import BranchTree

BOTH, ALONE = BranchTree.shared("ab", 1), BranchTree.shared("a", 1)


def evaluation(tree, **losses):
    epochs = range(len(next(iter(losses.values()))))
    return Evaluation(tree, [{name: {"loss": of[e]} for name, of in losses.items()} for e in epochs], 1.0)


def test_positive_losses_count_by_their_logarithm_over_the_last_fifth():
    ten = evaluation(BOTH, a=[9.0] * 8 + [2.0, 4.0], b=[1.0] * 10)
    one = evaluation(ALONE, a=[0.5])
    found = results_of([ten, one], "ab")
    expected = [[-100.0 * math.log(8.0) / 2.0, 0.0], [100.0 * math.log(2.0), math.nan]]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), equal_nan=True)


def test_a_percent_of_the_loss_is_one():
    found = results_of([evaluation(BOTH, a=[3.0], b=[5.0]), evaluation(BOTH, a=[2.97], b=[5.05])], "ab")
    # The logarithm differs from the share by half of its square.
    torch.testing.assert_close(found[1] - found[0], torch.tensor([1.0, -1.0]).double(), rtol=0.0, atol=0.006)


def test_losses_that_are_not_positive_count_in_units_of_their_size():
    rows = [evaluation(BOTH, a=[3.0], b=[-1.0]), evaluation(BOTH, a=[4.0], b=[0.0]), evaluation(ALONE, a=[-5.0])]
    found = results_of(rows, "ab")
    size_a, size_b = math.sqrt(50.0 / 3.0), math.sqrt(0.5)
    expected = [[-300.0 / size_a, 100.0 / size_b], [-400.0 / size_a, 0.0], [500.0 / size_a, math.nan]]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), equal_nan=True)
    assert not results_of([evaluation(ALONE, a=[0.0])], "a").any()


def test_the_longest_training_of_a_tree_counts_and_its_beginning_too():
    short, long = evaluation(BOTH, a=[3.0, 2.0], b=[1.0] * 2), evaluation(BOTH, a=[3.0, 2.0, 1.0], b=[1.0] * 3)
    other = evaluation(ALONE, a=[1.0, 1.0])
    assert longest_of([short, other, long]) == [long, other]
    assert longest_of([long, other, short]) == [long, other]
    rows = at_both_lengths([short, other, long], short=2)
    assert [(row.tree, len(row.validation)) for row in rows] == [(BOTH, 2), (BOTH, 3), (ALONE, 2)]
    assert rows[0].validation == short.validation
