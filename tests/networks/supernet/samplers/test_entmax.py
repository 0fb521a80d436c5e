import torch

from nas.networks.supernet.samplers import Entmax


def test_probabilities_follow_the_formula():
    """p_c = max(0, z_c / 2 - threshold)^2 with the threshold that makes them sum to one, found by bisection."""
    logits = torch.randn(50, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = logits / 0.7 / 2
    low, high = z.amax(-1, keepdim=True) - 1.0, z.amax(-1, keepdim=True)
    for _ in range(60):
        middle = (low + high) / 2
        above = (z - middle).clamp_min(0).square().sum(-1, keepdim=True) > 1.0
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    expected = (z - low).clamp_min(0).square()
    # Sixty halvings of an interval of one.
    torch.testing.assert_close(Entmax().probabilities(logits, 6, 0.7), expected, rtol=0, atol=1e-12)


def test_a_choice_is_one_hot_at_a_difference_of_two_temperatures():
    logits = torch.tensor([1.0, 0.2, 0.0])
    assert Entmax().probabilities(logits, 3, 0.4).tolist() == [1.0, 0.0, 0.0]
    assert Entmax().probabilities(logits, 3, 0.5)[1] > 0
