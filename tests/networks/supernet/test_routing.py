import pytest
import torch
from scipy.stats import chisquare

from nas.networks.supernet import one_hot_routing, own_copy_routing, sample_routing


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("hard", "temperature"),
    # At 1e9 a soft sample's entries are equal in single precision, so that only the hard one has an arg-max.
    [*((False, temperature) for temperature in (1e-3, 0.1, 1.0, 5.0)), *((True, t) for t in (1e-3, 0.1, 5.0, 1e9))],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_argmax_frequencies_are_the_softmax_at_any_temperature(hard, temperature, seed):
    logits_C = torch.tensor([0.0, 1.0, -1.0, 2.0, 0.0])
    num_samples = 20_000
    samples = sample_routing(logits_C.expand(1, num_samples, 5), temperature, hard=hard, generator=generator(seed))
    observed_C = torch.bincount(samples[0].argmax(dim=-1), minlength=5)
    expected_C = logits_C.double().softmax(dim=0) * num_samples
    # The seeds are fixed, so this fails always or never; a right sampler had one chance in 10,000 of failing at each.
    assert chisquare(observed_C.numpy(), expected_C.numpy()).pvalue > 1e-4


def test_a_sample_follows_the_formula():
    logits_LTC = torch.randn(3, 4, 5, generator=generator(1))
    gumbel_LTC = -torch.empty(3, 4, 5).exponential_(generator=generator(2)).log()
    sampled_LTC = sample_routing(logits_LTC, 0.7, hard=False, generator=generator(2))
    torch.testing.assert_close(sampled_LTC, ((logits_LTC + gumbel_LTC) / 0.7).softmax(dim=-1))


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("temperature", [0.1, 5.0])
def test_rows_sum_to_one_even_for_extreme_logits(hard, scale, temperature):
    logits_LTC = scale * torch.randn(4, 50, 6, generator=generator()).sign()
    routing_LTC = sample_routing(logits_LTC, temperature, hard=hard, generator=generator(1))
    assert torch.all(routing_LTC >= 0)
    # Six single-precision numbers of at most 1, each rounded by at most 6e-8.
    torch.testing.assert_close(routing_LTC.sum(dim=-1), torch.ones(4, 50), rtol=0, atol=1e-6)
    if hard:
        assert torch.all((routing_LTC == 0) | (routing_LTC == 1))


def test_no_nan_in_many_samples():
    routing_LTC = sample_routing(torch.zeros(1, 2**20, 8), 0.1, hard=False, generator=generator())
    assert torch.isfinite(routing_LTC).all()


@pytest.mark.parametrize("hard", [False, True])
def test_an_exponential_sample_of_zero_is_a_large_gumbel_sample_not_nan(monkeypatch, hard):
    draw = torch.Tensor.exponential_

    def with_a_zero(tensor, *, generator):
        draw(tensor, generator=generator)[..., 2] = 0.0
        return tensor

    monkeypatch.setattr(torch.Tensor, "exponential_", with_a_zero)
    logits_LTC = torch.zeros(2, 3, 4, requires_grad=True)
    routing_LTC = sample_routing(logits_LTC, 1.0, hard=hard, generator=generator())
    assert torch.all(routing_LTC.argmax(dim=-1) == 2)
    routing_LTC[..., 0].sum().backward()
    assert torch.isfinite(routing_LTC).all()
    assert torch.isfinite(logits_LTC.grad).all()


def test_all_exponential_samples_of_zero_leave_the_softmax(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "exponential_", lambda tensor, *, generator: tensor.zero_())
    logits_LTC = torch.tensor([[[0.0, 1.0, 2.0]]])
    routing_LTC = sample_routing(logits_LTC, 1.0, hard=False, generator=generator())
    # All get the same noise, of size 87, whose rounding is 4e-6 in single precision.
    torch.testing.assert_close(routing_LTC, logits_LTC.softmax(dim=-1), rtol=0, atol=1e-5)


def test_hard_samples_are_one_hot_with_the_soft_samples_gradient():
    values_LTC = torch.randn(3, 4, 5, generator=generator(1))
    gradients, samples = [], []
    for hard in (True, False):
        logits_LTC = torch.randn(3, 4, 5, generator=generator(2)).requires_grad_()
        sample = sample_routing(logits_LTC, 0.5, hard=hard, generator=generator(3))
        (sample * values_LTC).sum().backward()
        samples.append(sample.detach())
        gradients.append(logits_LTC.grad)
    assert torch.equal(samples[0], one_hot_routing(samples[1].argmax(dim=-1), 5))
    assert gradients[0].abs().min() > 0
    assert torch.equal(*gradients)


def test_a_seed_gives_a_sample():
    logits_LTC = torch.zeros(2, 3, 4)
    first, again, other = (sample_routing(logits_LTC, 1.0, hard=False, generator=generator(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_sampling_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    sample_routing(torch.zeros(2, 3, 4), 1.0, hard=True, generator=generator())
    assert torch.equal(torch.get_rng_state(), before)


def test_one_hot_routing_of_choices():
    routing_LTC = one_hot_routing([[0, 2], [1, 1]], 3)
    assert routing_LTC.tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 1, 0]]]
    assert routing_LTC.is_floating_point()


@pytest.mark.parametrize(
    ("num_candidates", "row"), [(4, [0, 1, 2, 3]), (6, [0, 1, 2, 3]), (3, [0, 1, 2, 0]), (1, [0] * 4)]
)
def test_own_copies(num_candidates, row):
    routing_LTC = own_copy_routing(2, 4, num_candidates)
    assert torch.equal(routing_LTC, one_hot_routing([row, row], num_candidates))
