import math
from itertools import product

import pytest
import torch

from nas.networks.supernet.samplers import DSelectK


def test_bits_choose_by_smooth_steps():
    # The second bit is at 0.25 of the width: 1.5 * 0.25 - 2 * 0.25^3 + 0.5 = 0.84375.
    probs = DSelectK().probabilities(torch.tensor([-0.5, 0.25]), 4)
    torch.testing.assert_close(probs, torch.tensor([0.15625, 0.84375, 0.0, 0.0]))
    narrow = DSelectK(width=0.5).probabilities(torch.tensor([-0.25, 0.125]), 4)
    torch.testing.assert_close(narrow, probs)


@pytest.mark.parametrize("num_options", range(2, 10))
def test_exact_bits_choose_each_option(num_options):
    """Every pattern of bits chooses one option, and every option is chosen by one."""
    sampler = DSelectK()
    num_bits = sampler.num_parameters(num_options)
    patterns = torch.tensor(list(product([-0.6, 0.6], repeat=num_bits)))
    probs = sampler.probabilities(patterns, num_options)
    assert ((probs == 0) | (probs == 1)).all()
    assert probs.sum(dim=0).gt(0).all()


def test_a_bit_without_a_second_value_does_not_count():
    """Of five options, number 4 is the only one with the highest bit 1: its lower bits are free."""
    probs = DSelectK().probabilities(torch.tensor([0.25, -0.5, 0.5]), 5)
    torch.testing.assert_close(probs, torch.tensor([0.0, 0.15625, 0.0, 0.0, 0.84375]))


def test_the_mixture_of_two_selectors():
    logits = torch.tensor([0.5, 0.5, -0.5, 0.5, math.log(3.0), 0.0])
    probs = DSelectK(k=2).probabilities(logits, 4)
    torch.testing.assert_close(probs, torch.tensor([0.0, 0.25, 0.0, 0.75]))


def test_an_exact_bit_has_no_gradient():
    logits = torch.tensor([0.7, 0.1], requires_grad=True)
    DSelectK().probabilities(logits, 4)[2].backward()
    assert logits.grad[0] == 0
    assert logits.grad[1] != 0


def test_the_regulariser_is_the_entropy():
    sampler = DSelectK(entropy=2.0)
    assert sampler.regulariser(torch.zeros(3, 2), 4, 1.0).item() == pytest.approx(2.0 * 3 * math.log(4.0))
    # Exact bits have no entropy, but for the twelve zeros that count as 1e-12.
    assert sampler.regulariser(torch.full((3, 2), 0.5), 4, 1.0).item() == pytest.approx(0.0, abs=1e-8)
    assert DSelectK(entropy=0.0).regulariser(torch.zeros(3, 2), 4, 1.0).item() == 0.0


def test_descending_the_regulariser_makes_choices_one_hot():
    sampler = DSelectK(entropy=1.0)
    logits = sampler.start((4, 6), 6, torch.Generator().manual_seed(0)).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        sampler.regulariser(logits, 6, 1.0).backward()
        optimizer.step()
    probs = sampler.probabilities(logits.detach(), 6)
    assert ((probs == 0) | (probs == 1)).all()
