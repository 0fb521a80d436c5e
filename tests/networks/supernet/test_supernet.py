from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toys import IN_FEATURES, VectorBackbone, copied_state, names, seeded, toy_tasks

from nas.errors import InputError
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import (
    Supernet,
    one_hot_routing,
    remove_last_affine,
    reset_running_statistics,
    sample_routing,
)
from nas.strategies.inherit import inherit_weights
from nas.tasks import Task
from nas.tree import BranchTree
from search_spaces.digits import DigitsBackbone
from search_spaces.mlp import MLP
from search_spaces.mobilenet_v2 import MobileNetV2
from search_spaces.vit import ViT

DIGIT_TASKS = (
    Task(name="left", num_outputs=3, loss="cross_entropy", metrics=("accuracy",)),
    Task(name="ink", num_outputs=1, loss="mse", metrics=("rmse",)),
    Task(name="restore", num_outputs=1, loss="mse", metrics=("rmse",)),
)
DIGITS = DigitsBackbone((4, 4, 6), strided=(2,))


@st.composite
def routed(draw, max_blocks=4, max_tasks=5):
    """Numbers of tasks and candidates, choices [L, T], and a seed for weights and inputs."""
    num_blocks, num_tasks = draw(st.integers(1, max_blocks)), draw(st.integers(1, max_tasks))
    num_candidates = draw(st.integers(1, num_tasks + 1))
    row = st.lists(st.integers(0, num_candidates - 1), min_size=num_tasks, max_size=num_tasks)
    choices = draw(st.lists(row, min_size=num_blocks, max_size=num_blocks))
    return num_candidates, choices, draw(st.integers(0, 99))


def random_supernet(backbone, tasks, num_candidates, seed, **options):
    """Candidates that differ, with running statistics and norms that are not those of a fresh network."""

    def make():
        supernet = Supernet(backbone, tasks, num_candidates, equal_start=False, **options)
        for norm in supernet.modules():
            if isinstance(norm, nn.modules.batchnorm._BatchNorm):
                norm.running_mean.normal_()
                norm.running_var.uniform_(0.5, 2.0)
                for parameter in norm.parameters():
                    nn.init.normal_(parameter, 1.0, 0.3)
        # Double precision, so that what is equal is equal to 1e-7 whatever the order of a sum.
        return supernet.double()

    return seeded(make, seed)


def random_inputs(shape, seed):
    return torch.randn(6, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def weighted_outputs(outputs, seed=0):
    """A loss that every output counts in, each with its own weight."""
    generator = torch.Generator().manual_seed(seed)
    return sum(
        (output * torch.randn(output.shape, dtype=output.dtype, generator=generator)).sum()
        for _, output in sorted(outputs.items())
    )


def gradient(parameter):
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def candidate_gradients(supernet, network, choices, tasks):
    """For each candidate's parameter: its gradient, and the sum of those of the instances that took its place."""
    tree = network.tree
    for l, (candidates, instances) in enumerate(zip(supernet.blocks, network.blocks, strict=True)):
        for c, candidate in enumerate(candidates):
            users = [
                instance
                for instance, group in zip(instances, tree.partitions[l], strict=True)
                if choices[l][names(tasks).index(group[0])] == c
            ]
            for name, parameter in candidate.named_parameters():
                total = sum((gradient(user.get_parameter(name)) for user in users), torch.zeros_like(parameter))
                yield f"blocks.{l}.{c}.{name}", gradient(parameter), total


def check_equal_networks(backbone, tasks, shape, num_candidates, choices, seed, training, **options):
    supernet = random_supernet(backbone, tasks, num_candidates, seed, **options).train(training)
    tree = BranchTree.from_choices(names(tasks), choices)
    network = BranchedNetwork(backbone, tasks, tree).double().train(training)
    inherit_weights(network, supernet, 50.0 * one_hot_routing(choices, num_candidates))
    inputs = random_inputs(shape, seed)
    mixed, branched = supernet(inputs, one_hot_routing(choices, num_candidates)), network(inputs)
    assert list(mixed) == list(branched) == list(names(tasks))
    torch.testing.assert_close(mixed, branched)
    weighted_outputs(mixed).backward()
    weighted_outputs(branched).backward()
    for part in ("stem", "heads"):
        instances = dict(getattr(network, part).named_parameters())
        for name, parameter in getattr(supernet, part).named_parameters():
            torch.testing.assert_close(gradient(parameter), gradient(instances[name]), msg=f"{part}.{name}")
    for name, found, expected in candidate_gradients(supernet, network, choices, tasks):
        torch.testing.assert_close(found, expected, msg=name)


@settings(deadline=None, max_examples=60)
@given(routed(), st.booleans(), st.booleans())
def test_one_hot_routing_is_the_branched_network(case, training, affine):
    num_candidates, choices, seed = case
    backbone, tasks = VectorBackbone(len(choices)), toy_tasks(len(choices[0]))
    check_equal_networks(
        backbone, tasks, (IN_FEATURES,), num_candidates, choices, seed, training, affine_last_norm=affine
    )


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("num_candidates", "choices"),
    [
        (3, [[0, 0, 0], [0, 0, 2], [1, 2, 0]]),
        (3, [[0, 1, 2], [1, 2, 0], [2, 2, 2]]),
        (2, [[1, 1, 0], [0, 1, 0], [1, 1, 1]]),
    ],
)
def test_one_hot_routing_is_the_branched_network_of_convolutions(num_candidates, choices, training, affine):
    check_equal_networks(DIGITS, DIGIT_TASKS, (1, 9, 11), num_candidates, choices, 0, training, affine_last_norm=affine)


def test_one_hot_routing_is_the_branched_network_of_a_published_backbone():
    backbone = MobileNetV2(width=0.25, image_tasks=("ink",))
    choices = [[0, 0, 0], [0, 0, 1], *[[1, 0, 1]] * (backbone.num_blocks - 2)]
    check_equal_networks(backbone, DIGIT_TASKS, (3, 17, 19), 2, choices, 0, True, affine_last_norm=False)


DENSE_OR_NOT = [task.model_copy(update={"dense": task.name == "restore"}) for task in DIGIT_TASKS]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("backbone", "tasks", "shape"),
    [
        (ViT(image_size=(8, 12), patch_size=4, width=8, depth=3, num_heads=2), DENSE_OR_NOT, (3, 8, 12)),
        (MLP(5, width=6, depth=3, norm="batch"), DIGIT_TASKS, (5,)),
        (MLP(5, width=6, depth=3, norm="layer", residual=True), DIGIT_TASKS, (5,)),
    ],
)
def test_one_hot_routing_is_the_branched_network_of_tokens_and_rows(backbone, tasks, shape, training):
    choices = [[0, 0, 0], [0, 0, 1], [1, 2, 0]]
    check_equal_networks(backbone, tasks, shape, 3, choices, 0, training, affine_last_norm=True)


@settings(deadline=None, max_examples=20)
@given(routed())
def test_the_gradient_of_a_shared_block_is_the_sum_over_its_tasks(case):
    num_candidates, choices, seed = case
    tasks = toy_tasks(len(choices[0]))
    supernet = random_supernet(VectorBackbone(len(choices)), tasks, num_candidates, seed)
    routing_LTC, inputs = one_hot_routing(choices, num_candidates), random_inputs((IN_FEATURES,), seed)
    weights = {name: 1.0 + t for t, name in enumerate(names(tasks))}
    summed = {name: torch.zeros_like(parameter) for name, parameter in supernet.named_parameters()}
    for task in names(tasks):
        supernet.zero_grad(set_to_none=True)
        outputs = supernet(inputs, routing_LTC, [task])
        assert list(outputs) == [task]
        (weights[task] * outputs[task].square().sum()).backward()
        for name, parameter in supernet.named_parameters():
            summed[name] += gradient(parameter)
    supernet.zero_grad(set_to_none=True)
    outputs = supernet(inputs, routing_LTC)
    sum(weights[task] * output.square().sum() for task, output in outputs.items()).backward()
    for name, parameter in supernet.named_parameters():
        torch.testing.assert_close(gradient(parameter), summed[name], msg=name)


def naive_outputs(supernet, inputs, routing_LTC):
    """Every task by itself, every candidate by itself."""
    outputs = {}
    for t, task in enumerate(supernet.task_names):
        features, tapped = supernet.stem(inputs), []
        for l, candidates in enumerate(supernet.blocks):
            features = sum(routing_LTC[l, t, c] * candidate(features) for c, candidate in enumerate(candidates))
            if l in supernet.taps:
                tapped.append(features)
        outputs[task] = supernet.heads[task](tuple(tapped), inputs.shape[2:])
    return outputs


@pytest.mark.parametrize("with_gradient", [True, False])
@settings(deadline=None, max_examples=20)
@given(routed())
def test_soft_routing_is_the_naive_sum(with_gradient, case):
    num_candidates, choices, seed = case
    tasks = toy_tasks(len(choices[0]))
    inputs = random_inputs((IN_FEATURES,), seed)
    generator = torch.Generator().manual_seed(seed)
    logits_LTC = torch.randn(len(choices), len(tasks), num_candidates, dtype=torch.float64, generator=generator)
    results = []
    for forward in (lambda supernet, *arguments: supernet(*arguments), naive_outputs):
        supernet = random_supernet(VectorBackbone(len(choices)), tasks, num_candidates, seed)
        leaf_LTC = logits_LTC.clone().requires_grad_(with_gradient)
        outputs = forward(supernet, inputs, leaf_LTC.softmax(dim=-1))
        weighted_outputs(outputs).backward()
        gradients = {name: gradient(parameter) for name, parameter in supernet.named_parameters()}
        results.append((outputs, gradients, gradient(leaf_LTC)))
    torch.testing.assert_close(*results)


def count_calls(supernet, routing_LTC, tasks=None):
    """Calls of each candidate, by block and candidate, in one forward pass."""
    # Before their first run parts are tried once; that does not count.
    supernet(random_inputs((IN_FEATURES,), 0), routing_LTC, tasks)
    calls = Counter()
    for l, candidates in enumerate(supernet.blocks):
        for c, candidate in enumerate(candidates):
            candidate.register_forward_hook(lambda *_, key=(l, c): calls.update([key]))
    supernet.stem.register_forward_hook(lambda *_: calls.update(["stem"]))
    supernet(random_inputs((IN_FEATURES,), 0), routing_LTC, tasks)
    return calls


def group_calls(tree, choices, tasks):
    groups = {(l, group) for l, partition in enumerate(tree.partitions) for group in partition}
    return Counter((l, choices[l][tasks.index(group[0])]) for l, group in groups)


@settings(deadline=None, max_examples=40)
@given(routed())
def test_with_one_hot_routing_a_candidate_runs_once_per_group(case):
    num_candidates, choices, seed = case
    tasks = toy_tasks(len(choices[0]))
    supernet = random_supernet(VectorBackbone(len(choices)), tasks, num_candidates, seed)
    calls = count_calls(supernet, one_hot_routing(choices, num_candidates))
    tree = BranchTree.from_choices(names(tasks), choices)
    assert calls == group_calls(tree, choices, names(tasks)) + Counter(["stem"])


def test_only_what_the_named_tasks_need_runs():
    tasks, choices = toy_tasks(4), [[0, 0, 1, 1], [0, 1, 2, 2]]
    supernet = random_supernet(VectorBackbone(2), tasks, 3, 0)
    calls = count_calls(supernet, one_hot_routing(choices, 3), ["t3", "t0"])
    assert calls == Counter(["stem", (0, 0), (0, 1), (1, 0), (1, 2)])


def test_the_order_of_named_tasks_is_kept():
    supernet = random_supernet(VectorBackbone(2), toy_tasks(3), 3, 0).eval()
    inputs, routing_LTC = random_inputs((IN_FEATURES,), 0), one_hot_routing([[0, 1, 1], [0, 1, 2]], 3)
    outputs = supernet(inputs, routing_LTC)
    some = supernet(inputs, routing_LTC, ["t2", "t0"])
    assert list(some) == ["t2", "t0"]
    torch.testing.assert_close(some, {"t2": outputs["t2"], "t0": outputs["t0"]})


@pytest.mark.parametrize("needs_gradient", [True, False])
def test_with_soft_routing_tasks_share_the_first_block_only(needs_gradient):
    supernet = random_supernet(VectorBackbone(3), toy_tasks(4), 2, 0)
    routing_LTC = torch.full((3, 4, 2), 0.5, requires_grad=needs_gradient)
    once, per_task = [(0, 0), (0, 1)], [(l, c) for l in (1, 2) for c in (0, 1)]
    assert count_calls(supernet, routing_LTC) == Counter([*once, *per_task * 4, "stem"])


def test_a_routing_with_a_gradient_runs_the_candidates_of_weight_zero_which_it_asks_about():
    supernet = random_supernet(VectorBackbone(1), toy_tasks(2), 2, 0)
    logits_LTC = torch.zeros(1, 2, 2, requires_grad=True)
    hard_LTC = sample_routing(logits_LTC, 1.0, hard=True, generator=torch.Generator().manual_seed(0))
    weighted_outputs(supernet(random_inputs((IN_FEATURES,), 0), hard_LTC)).backward()
    assert logits_LTC.grad.abs().min() > 0


def test_a_weight_that_rounds_to_one_does_not_drop_the_others():
    supernet = random_supernet(VectorBackbone(1), toy_tasks(1), 2, 0)
    small = 1e-9
    weighted_outputs(supernet(random_inputs((IN_FEATURES,), 0), torch.tensor([[[1.0, small]]]))).backward()
    first, second = (candidate[0].weight.grad for candidate in supernet.blocks[0])
    assert first.abs().max() > 0
    assert 0 < second.abs().max() < 1e3 * small * first.abs().max()


def test_candidates_start_equal_and_apart_or_each_from_its_own_weights():
    for equal in (True, False):
        supernet = seeded(lambda equal=equal: Supernet(VectorBackbone(2), toy_tasks(2), 3, equal_start=equal))
        for first, *others in supernet.blocks:
            for other in others:
                assert other[0].weight is not first[0].weight
                assert torch.equal(other[0].weight, first[0].weight) == equal


def test_a_candidate_a_task_unless_told_otherwise():
    assert [len(block) for block in Supernet(VectorBackbone(2), toy_tasks(3)).blocks] == [3, 3]
    assert [len(block) for block in Supernet(VectorBackbone(2), toy_tasks(3), 2).blocks] == [2, 2]


def test_no_candidates_are_refused():
    with pytest.raises(InputError, match="at least one candidate per block; found 0"):
        Supernet(VectorBackbone(2), toy_tasks(3), 0)


@pytest.mark.parametrize("track", [True, False])
def test_the_last_norm_alone_loses_scale_and_shift(track):
    block = nn.Sequential(
        nn.BatchNorm1d(3), nn.Sequential(nn.BatchNorm1d(3, 1e-3, 0.2, track_running_stats=track)), nn.ReLU()
    ).eval()
    inputs = random_inputs((3,), 0).float()
    before = block(inputs)
    remove_last_affine(block)
    assert [name for name, _ in block.named_parameters()] == ["0.weight", "0.bias"]
    last = block[1][0]
    assert (last.eps, last.momentum, last.training, last.track_running_stats) == (1e-3, 0.2, False, track)
    # A fresh norm has scale 1 and shift 0, without which it computes the same.
    assert torch.equal(block(inputs), before)


def test_a_block_without_norms_has_nothing_to_lose():
    block = nn.Linear(2, 2)
    remove_last_affine(block)
    assert len(list(block.parameters())) == 2


def test_norms_of_candidates_lose_scale_and_shift_and_no_others():
    supernet = Supernet(VectorBackbone(2), toy_tasks(2), affine_last_norm=False)
    without = [name for name, module in supernet.named_modules() if getattr(module, "affine", True) is False]
    assert without == [f"blocks.{l}.{c}.1" for l in (0, 1) for c in (0, 1)]


def test_reset_running_statistics():
    supernet = random_supernet(VectorBackbone(2), toy_tasks(2), 2, 0)
    weights = copied_state(supernet)
    supernet(random_inputs((IN_FEATURES,), 0), torch.full((2, 2, 2), 0.5, dtype=torch.float64))
    reset_running_statistics(supernet)
    for name, tensor in supernet.state_dict().items():
        if "running_mean" in name or "num_batches" in name:
            assert not tensor.any()
        elif "running_var" in name:
            assert torch.all(tensor == 1)
        else:
            assert torch.equal(tensor, weights[name])
