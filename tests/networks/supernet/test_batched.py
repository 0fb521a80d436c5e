"""Candidates that run together give what they give one after another."""

import logging

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toys import IN_FEATURES, VectorBackbone, copied_state, names, seeded, toy_tasks

from nas.networks.supernet import Supernet, one_hot_routing, own_copy_routing
from nas.tasks import Task
from search_spaces import DigitsBackbone, MobileNetV2, PlantedBackbone
from search_spaces.aspp import ASPP
from search_spaces.heads import DeepLabV3PlusHead
from search_spaces.mobilenet_v2 import InvertedResidual

IMAGE_TASKS = tuple(
    Task(name=name, num_outputs=n, loss="mse", metrics=("rmse",))
    for name, n in (("left", 3), ("ink", 1), ("restore", 1))
)


class MobileBackbone(MobileNetV2):
    """One block of each kind that MobileNetV2 has."""

    num_blocks, taps = 3, (0, 2)

    def make_block(self, l):
        if l == 2:
            return ASPP(6, 8, rates=(), dropout=0.0, activation=nn.ReLU6)
        return InvertedResidual(8, 8 - 2 * l, stride=1 + l, expansion=1 + l, dilation=2 - l)

    def make_head(self, task):
        return DeepLabV3PlusHead(8, 8, task.num_outputs, activation=nn.ReLU6)


SPACES = {
    "vector": (VectorBackbone(3), toy_tasks(3), (IN_FEATURES,)),
    "planted": (PlantedBackbone(num_blocks=3), toy_tasks(3), (8,)),
    "planted conv": (PlantedBackbone(num_blocks=2, kind="conv", norm=True), toy_tasks(3), (8, 5, 5)),
    "digits": (DigitsBackbone((4, 4, 6), strided=(2,)), IMAGE_TASKS, (1, 9, 11)),
    "mobilenet": (MobileBackbone(width=0.25), IMAGE_TASKS, (3, 17, 15)),
}


def make_supernet(backbone, tasks, num_candidates, seed=0, **execution):
    """Candidates, norms and statistics that differ; double precision, so that only mistakes are above 1e-7."""

    def make():
        supernet = Supernet(backbone, tasks, num_candidates, equal_start=False)
        for norm in supernet.modules():
            if isinstance(norm, nn.modules.batchnorm._BatchNorm):
                norm.running_mean.normal_()
                norm.running_var.uniform_(0.5, 2.0)
                nn.init.normal_(norm.weight, 1.0, 0.3)
        return supernet.double()

    supernet = seeded(make, seed)
    supernet.set_execution(**execution)
    return supernet


def random_routing(num_blocks, num_tasks, num_candidates, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num_blocks, num_tasks, num_candidates, dtype=torch.float64, generator=generator).softmax(-1)


def results(supernet, inputs, routing_LTC, tasks, *, routing_grad, frozen):
    """Outputs, gradients of weights and routing, and the state afterwards."""
    routing_LTC = routing_LTC.clone().requires_grad_(routing_grad)
    supernet.requires_grad_(not frozen)
    outputs = supernet(inputs, routing_LTC, tasks)
    if routing_grad or not frozen:
        sum((output * (1 + t + output)).sum() for t, output in enumerate(outputs.values())).backward()
    gradients = {name: parameter.grad for name, parameter in supernet.named_parameters()}
    supernet.zero_grad(set_to_none=True)
    return outputs, gradients, routing_LTC.grad, copied_state(supernet)


def assert_equal_paths(space, num_candidates, routing_LTC, tasks=None, training=True, seed=0, **options):
    backbone, all_tasks, shape = SPACES[space]
    inputs = torch.randn(4, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    found = []
    for candidates in ("plain", "batched"):
        supernet = make_supernet(backbone, all_tasks, num_candidates, seed, candidates=candidates).train(training)
        found.append(results(supernet, inputs, routing_LTC, tasks or names(all_tasks), **options))
        if candidates == "batched":
            batched = supernet._batched
    # Double precision, and sums in another order: default tolerances of 1e-7.
    torch.testing.assert_close(*found)
    return batched


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(
    ("training", "routing_grad", "frozen", "tasks"),
    # The two steps of a search, the published weight step of one task, and what a search leaves out: evaluation.
    [(True, False, False, None), (True, True, True, None), (True, False, False, 1), (False, True, False, 2)],
)
def test_soft_routing(space, training, routing_grad, frozen, tasks):
    backbone, all_tasks, _ = SPACES[space]
    routing_LTC = random_routing(backbone.num_blocks, len(all_tasks), 4)
    chosen = None if tasks is None else names(all_tasks)[-tasks:]
    options = {"routing_grad": routing_grad, "frozen": frozen, "training": training}
    batched = assert_equal_paths(space, 4, routing_LTC, chosen, **options)
    assert all(len(block._traces) == 1 and None not in block._traces.values() for block in batched)


@pytest.mark.parametrize(("space", "frozen"), [*((space, False) for space in SPACES), ("digits", True)])
def test_own_copies(space, frozen):
    backbone, all_tasks, _ = SPACES[space]
    routing_LTC = own_copy_routing(backbone.num_blocks, len(all_tasks), 4)
    batched = assert_equal_paths(space, 4, routing_LTC, routing_grad=False, frozen=frozen)
    assert all(len(block._traces) == 1 and None not in block._traces.values() for block in batched)


@settings(deadline=None, max_examples=10)
@given(st.data())
def test_any_mixture_of_soft_and_one_hot_blocks(data):
    backbone, tasks, _ = SPACES["vector"]
    num_candidates = data.draw(st.integers(1, 4))
    soft_LTC = random_routing(backbone.num_blocks, len(tasks), num_candidates, data.draw(st.integers(0, 9)))
    choice = st.lists(st.integers(0, num_candidates - 1), min_size=len(tasks), max_size=len(tasks))
    choices = data.draw(st.lists(choice, min_size=backbone.num_blocks, max_size=backbone.num_blocks))
    one_hot_LTC = one_hot_routing(choices, num_candidates).double()
    is_soft_LT = torch.tensor(
        data.draw(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=3, max_size=3))
    )
    routing_LTC = torch.where(is_soft_LT.unsqueeze(-1), soft_LTC, one_hot_LTC)
    assert_equal_paths("vector", num_candidates, routing_LTC, routing_grad=data.draw(st.booleans()), frozen=False)


class OwnBuffer(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return self.linear(x)


class OfValues(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 6)

    def forward(self, x):
        return self.linear(x) if x.sum() > 0 else -self.linear(x)


REFUSED = {
    "dropout": (lambda: nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5)), "random"),
    "buffer": (OwnBuffer, "buffers that are no BatchNorm's"),
    "average": (lambda: nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6, momentum=None)), "momentum None"),
    "values": (OfValues, "data-dependent"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_blocks_that_cannot_be_batched_run_one_after_another_and_say_so_once(kind, caplog):
    make_block, reason = REFUSED[kind]

    class Backbone(VectorBackbone):
        def make_block(self, l):
            return make_block() if l == 1 else super().make_block(l)

    tasks, found = toy_tasks(3), []
    inputs = torch.randn(4, IN_FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    routing_LTC = random_routing(3, 3, 3)
    for candidates in ("plain", "batched"):
        supernet = make_supernet(Backbone(3), tasks, 3, candidates=candidates)
        with caplog.at_level(logging.INFO), torch.random.fork_rng():
            for _ in range(2):
                torch.manual_seed(1)  # of the dropout
                found.append(results(supernet, inputs, routing_LTC, None, routing_grad=False, frozen=False))
    torch.testing.assert_close(found[:2], found[2:])
    (message,) = [record.message for record in caplog.records]
    assert message.startswith("the candidates of block 1 run one after another: ")
    assert reason in message


def test_hooks_see_every_candidate():
    backbone, tasks, _ = SPACES["vector"]
    supernet, seen = make_supernet(backbone, tasks, 3, candidates="batched"), []
    supernet.blocks[1][2].register_forward_hook(lambda *_: seen.append(1))
    supernet(torch.randn(4, IN_FEATURES, dtype=torch.float64), random_routing(3, 3, 3))
    assert len(seen) == 3


def test_weights_that_move_are_followed():
    backbone, tasks, shape = SPACES["digits"]
    supernet = make_supernet(backbone, tasks, 3, candidates="batched")
    inputs, routing_LTC = torch.randn(4, *shape), random_routing(3, 3, 3).float()
    supernet(inputs.double(), routing_LTC)
    # Buffers become other tensors.
    supernet.float()
    supernet(inputs, routing_LTC)
    assert all(norm.num_batches_tracked == 2 for norm in (supernet.stem.norm,))
    assert all(candidate.norm.num_batches_tracked == 2 for candidate in supernet.blocks[0])


def test_auto_batches_small_candidates_alone():
    backbone, tasks, shape = SPACES["digits"]
    supernet = make_supernet(backbone, tasks, 3, candidates="auto")
    for size, batched in ((2, True), (2000, False)):
        with torch.no_grad():
            supernet(torch.randn(size, *shape, dtype=torch.float64), random_routing(3, 3, 3))
        assert bool(supernet._batched[0]._traces) == batched
        supernet.set_execution(candidates="auto")
