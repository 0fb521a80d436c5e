"""What holds for every sampler."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from toys import VectorBackbone, names, seeded, toy_batch, toy_tasks

from nas.networks.supernet import Supernet, one_hot_routing
from nas.networks.supernet.samplers import DSelectK, Entmax, Gumbel

SAMPLERS = [Gumbel(), Entmax(), DSelectK(), DSelectK(k=2), DSelectK(width=0.3)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def some_logits(sampler, num_options, seed, scale=0.4, shape=(3, 4)):
    return scale * torch.randn(*shape, sampler.num_parameters(num_options), generator=generator(seed)).double()


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
@given(num_options=st.integers(1, 9), seed=st.integers(0, 99), temperature=st.sampled_from([0.1, 1.0, 5.0]))
def test_probabilities_are_not_negative_and_sum_to_one(sampler, num_options, seed, temperature):
    probs = sampler.probabilities(some_logits(sampler, num_options, seed), num_options, temperature)
    assert probs.shape == (3, 4, num_options)
    assert (probs >= 0).all()
    # Nine products of at most five double-precision factors.
    torch.testing.assert_close(probs.sum(-1), torch.ones(3, 4).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_log_probabilities_are_finite_logits_of_the_probabilities(sampler):
    logits = some_logits(sampler, 5, 0, scale=10.0)
    log_probs = sampler.log_probabilities(logits, 5, 0.1)
    assert torch.isfinite(log_probs).all()
    # Probabilities below 1e-12 are raised to it.
    torch.testing.assert_close(log_probs.softmax(-1), sampler.probabilities(logits, 5, 0.1), rtol=0, atol=1e-11)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_the_gradient_is_that_of_finite_differences(sampler):
    # Small enough that no bit of DSelect-k is at the edge of its smooth step, where the second derivative jumps.
    logits = some_logits(sampler, 5, 1, scale=0.03).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: sampler.probabilities(z, 5, 0.7), logits)
    assert torch.autograd.gradcheck(lambda z: sampler.regulariser(z, 5, 1.0), logits)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_a_hard_sample_is_one_hot_and_distributed_like_the_probabilities(sampler):
    logits = some_logits(sampler, 3, 2, scale=0.1, shape=(1,)).float().expand(20_000, -1)
    routing = sampler.sample(logits, 3, 1.0, hard=True, generator=generator(1))
    assert ((routing == 0) | (routing == 1)).all()
    expected = sampler.probabilities(logits[0], 3, 1.0).double()
    # The seed is fixed, so this fails always or never; a right sampler had one chance in 10,000 of failing.
    assert chisquare(routing.sum(0).numpy(), (expected / expected.sum() * 20_000).numpy()).pvalue > 1e-4


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
@pytest.mark.parametrize("hard", [False, True])
def test_a_sample_carries_a_gradient_to_every_parameter(sampler, hard):
    logits = some_logits(sampler, 5, 3, scale=0.05).requires_grad_()
    routing = sampler.sample(logits, 5, 1.0, hard=hard, generator=generator())
    (routing * torch.randn(5, generator=generator(7)).double()).sum().backward()
    assert (logits.grad != 0).all()


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_undecided_choices_are_uniform_where_the_options_are_a_power_of_two(sampler):
    logits = sampler.start((6, 5), 4, generator())
    # DSelect-k starts within a hundredth of a width: a bit is within 0.015 of 1/2, a product within 0.016 of 1/4.
    torch.testing.assert_close(sampler.probabilities(logits, 4), torch.full((6, 5, 4), 0.25), rtol=0, atol=0.016)


def test_one_hot_gates_of_all_samplers_give_the_same_network():
    """Logits of each sampler that choose the same candidates, and the routing of these choices."""
    choices = [[0, 1, 2], [2, 2, 1]]
    one_hot = one_hot_routing(choices, 3)
    bits = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]) - 0.5
    logits = {
        Gumbel(): 1e3 * one_hot,
        Entmax(): 2.0 * one_hot,
        DSelectK(): bits[torch.tensor(choices)],
    }
    tasks = toy_tasks(3)
    supernet = seeded(lambda: Supernet(VectorBackbone(2), tasks, 3, equal_start=False)).eval()
    inputs = toy_batch(tasks).inputs
    expected = supernet(inputs, one_hot, names(tasks))
    for sampler, chosen in logits.items():
        for hard in (False, True):
            routing = sampler.sample(chosen, 3, 1.0, hard=hard, generator=generator())
            outputs = supernet(inputs, routing, names(tasks))
            for name, output in outputs.items():
                torch.testing.assert_close(output, expected[name], rtol=0, atol=0)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_a_choice_among_one_option_is_certain_and_can_be_differentiated(sampler):
    logits = sampler.start((2, 3), 1, generator()).requires_grad_()
    routing = sampler.sample(logits, 1, 1.0, hard=False, generator=generator())
    assert torch.equal(routing, torch.ones(2, 3, 1))
    routing.sum().backward()
    assert torch.equal(logits.grad, torch.zeros_like(logits))
