"""Recomputed activations: the same numbers from less memory."""

import pytest
import torch
from torch import nn
from toys import IN_FEATURES, VectorBackbone, copied_state, seeded, toy_tasks

from nas.networks.supernet import Supernet, one_hot_routing
from nas.networks.supernet.recompute import recomputed


def run(
    num_candidates=2, dropout=0.3, steps=1, norm=lambda width: nn.BatchNorm1d(width), routing_LTC=None, **execution
):
    """Losses, gradients and the state after some forward and backward passes."""

    class Backbone(VectorBackbone):
        def make_block(self, l):
            return nn.Sequential(nn.Linear(6, 6), norm(6), nn.ReLU(), nn.Dropout(self.dropout))

    tasks = toy_tasks(2)
    supernet = seeded(lambda: Supernet(Backbone(3, dropout=dropout), tasks, num_candidates, equal_start=False))
    supernet.set_execution(**execution)
    found = []
    with torch.random.fork_rng():
        torch.manual_seed(3)
        for _ in range(steps):
            inputs = torch.randn(8, IN_FEATURES)
            leaf_LTC = torch.full((3, 2, num_candidates), 1.0 / num_candidates) if routing_LTC is None else routing_LTC
            leaf_LTC = leaf_LTC.clone().requires_grad_(routing_LTC is None)
            outputs = supernet(inputs, leaf_LTC)
            loss = sum(output.square().sum() for output in outputs.values())
            supernet.zero_grad()
            loss.backward()
            gradients = {name: parameter.grad for name, parameter in supernet.named_parameters()}
            found.append((loss.detach(), gradients, leaf_LTC.grad))
    return found, copied_state(supernet)


@pytest.mark.parametrize(("candidates", "dropout"), [("plain", 0.3), ("batched", 0.0)])
@pytest.mark.parametrize(
    "norm",
    [lambda width: nn.BatchNorm1d(width), lambda width: nn.BatchNorm1d(width, momentum=None), lambda _: nn.Identity()],
)
@pytest.mark.parametrize("routing_LTC", [None, one_hot_routing([[0, 0], [0, 1], [1, 0]], 2)])
def test_gradients_and_statistics_are_bitwise_those_without(candidates, dropout, norm, routing_LTC):
    options = {"dropout": dropout, "norm": norm, "steps": 2, "candidates": candidates, "routing_LTC": routing_LTC}
    torch.testing.assert_close(
        run(**options, checkpoint_activations=True), run(**options, checkpoint_activations=False), rtol=0, atol=0
    )


def test_a_norm_is_left_as_it_was():
    block = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, momentum=0.2))
    recomputed(block, torch.randn(4, 3)).sum().backward()
    assert block[1].momentum == 0.2
    assert block[1].num_batches_tracked == 1


def test_two_backward_passes_find_the_same():
    block = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    inputs = torch.randn(4, 3, requires_grad=True)
    loss = recomputed(block, inputs).square().sum()
    (first,) = torch.autograd.grad(loss, inputs, retain_graph=True)
    (second,) = torch.autograd.grad(loss, inputs)
    torch.testing.assert_close(second, first, rtol=0, atol=0)
    assert block[1].num_batches_tracked == 1


def test_only_inputs_are_kept():
    """Between the passes, a block of ten layers keeps its input instead of ten activations."""
    block, kept = nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(10)]), {}
    for name, call in (("plain", block), ("recomputed", lambda x: recomputed(block, x))):
        sizes = {}

        def keep(tensor, sizes=sizes):
            sizes[tensor.data_ptr()] = tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            outputs = call(torch.randn(1000, 8, requires_grad=True))
        kept[name] = sum(sizes.values())
        outputs.sum().backward()
    assert kept["plain"] > 10 * 8000
    assert kept["recomputed"] <= 8000
