"""Steps that run the sampled candidates alone."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toys import DEVICE, IN_FEATURES, VectorBackbone, copied_state, names, seeded, toy_batch, toy_tasks

from nas.cost import FixedPenalty, measure_costs
from nas.data import Batch
from nas.engine.optimizer import OptimizerSettings
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import Supernet, one_hot_routing, sample_routing
from nas.strategies.gradient import GradientSettings, SearchState, logits_step, weight_step
from nas.strategies.inherit import inherit_weights
from nas.tasks import Task, task_losses
from nas.tree import BranchTree
from search_spaces import DigitsBackbone, MobileNetV2, PlantedBackbone

SGD = OptimizerSettings(kind="sgd", lr=0.1)
DENSE = tuple(Task(name=f"t{t}", num_outputs=1 + t % 2, loss="mse", metrics=("rmse",)) for t in range(3))
SPACES = {
    "planted": (PlantedBackbone(num_blocks=3), DENSE, (8,), None),
    "planted conv": (PlantedBackbone(num_blocks=3, kind="conv", norm=True, pooled=False), DENSE, (8, 5, 4), (5, 4)),
    "digits": (DigitsBackbone((4, 4, 6), strided=(2,), dense_tasks=names(DENSE)), DENSE, (1, 9, 11), (9, 11)),
    "mobilenet": (MobileNetV2(width=0.25), DENSE, (3, 33, 35), (33, 35)),
}


def random_batch(tasks, shape, label_shape, seed):
    """Double precision, so that sums in another order are equal to 1e-7."""
    if shape == (IN_FEATURES,):
        batch = toy_batch(tasks, seed=seed)
        labels = {name: label.double() if label.is_floating_point() else label for name, label in batch.labels.items()}
        return Batch(batch.inputs.double(), labels, batch.present)
    generator = torch.Generator().manual_seed(seed)
    labels = {
        task.name: torch.randn(4, task.num_outputs, *(label_shape or ()), dtype=torch.float64, generator=generator)
        for task in tasks
    }
    present = {task.name: torch.ones(4, dtype=torch.bool) for task in tasks}
    return Batch(torch.randn(4, *shape, dtype=torch.float64, generator=generator), labels, present)


def new_state(backbone, tasks, step_settings, seed=0, num_candidates=None):
    def make():
        supernet = Supernet(backbone, tasks, num_candidates, equal_start=False).double()
        for norm in supernet.modules():
            if isinstance(norm, nn.modules.batchnorm._BatchNorm):
                nn.init.normal_(norm.weight, 1.0, 0.3)
        state = SearchState.start(supernet, step_settings, DEVICE)
        with torch.no_grad():
            state.logits_LTP.normal_()
        return state

    return seeded(make, seed)


def check_step_trains_the_tree(backbone, tasks, batch, tree, seed=0, **options):
    """A weight step under the tree's routing is a step of the branched network, weights and statistics."""
    step_settings = GradientSettings(routing="one_path", weights=SGD, **options)
    state = new_state(backbone, tasks, step_settings, seed)
    routing_LTC = one_hot_routing(tree.choices_LT, len(tasks))
    network = BranchedNetwork(backbone, tasks, tree).double()
    inherit_weights(network, state.supernet, 50.0 * routing_LTC)
    losses = weight_step(state, batch, routing_LTC, tasks, step_settings)
    expected = task_losses(tasks, network(batch.inputs), batch)
    torch.testing.assert_close(losses, {name: loss.detach() for name, loss in expected.items()})
    sum(expected.values()).backward()
    SGD.make(network.parameters()).step()
    for l, instances in enumerate(network.blocks):
        for g, instance in enumerate(instances):
            trained = copied_state(state.supernet.blocks[l][g])
            torch.testing.assert_close(trained, copied_state(instance), msg=lambda text, l=l, g=g: f"{l}.{g}: {text}")
    torch.testing.assert_close(copied_state(state.supernet.stem), copied_state(network.stem))
    torch.testing.assert_close(copied_state(state.supernet.heads), copied_state(network.heads))


@st.composite
def trees(draw, tasks, num_blocks):
    """A random chain of refining partitions, by random choices that split what they part."""
    rows = [[draw(st.integers(0, len(tasks) - 1)) for _ in tasks] for _ in range(num_blocks)]
    return BranchTree.from_choices(names(tasks), rows)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_the_weight_step_trains_the_branched_network_of_the_sampled_tree(data):
    num_blocks, tasks = data.draw(st.integers(1, 4)), toy_tasks(data.draw(st.integers(1, 4)))
    seed = data.draw(st.integers(0, 99))
    batch = random_batch(tasks, (IN_FEATURES,), None, seed)
    # One after another, so that not each example has operators to trace.
    tree = data.draw(trees(tasks, num_blocks))
    check_step_trains_the_tree(VectorBackbone(num_blocks), tasks, batch, tree, seed, candidates="plain")


@pytest.mark.parametrize("candidates", ["plain", "batched"])
@pytest.mark.parametrize("space", SPACES)
def test_the_weight_step_trains_the_branched_network_in_every_space(space, candidates):
    backbone, tasks, shape, label_shape = SPACES[space]
    if space == "mobilenet" and candidates == "batched":
        pytest.skip("its 18 blocks take long to trace; tests/networks/supernet/test_batched.py has one of each kind")
    generator = random.Random(1)
    for seed in range(1 if space == "mobilenet" else 3):
        choices = [[generator.randrange(3) for _ in tasks] for _ in range(backbone.num_blocks)]
        tree = BranchTree.from_choices(names(tasks), choices)
        batch = random_batch(tasks, shape, label_shape, seed)
        check_step_trains_the_tree(backbone, tasks, batch, tree, seed, candidates=candidates)


def naive_logits_gradient(state, batch, tasks, temperature, seed):
    """Every task by itself, its weights as numbers that are one, and the sampled entries of the soft sample."""
    leaf_LTC = state.logits_LTP.detach().clone().requires_grad_()
    generator = torch.Generator().manual_seed(seed)
    soft_LTC = sample_routing(leaf_LTC, temperature, hard=False, generator=generator)
    choices_LT = soft_LTC.argmax(dim=-1)
    total = 0.0
    for t, task in enumerate(tasks):
        if task.name not in batch.labels:
            continue
        ones = [torch.ones((), dtype=torch.float64, requires_grad=True) for _ in state.supernet.blocks]
        features, tapped = state.supernet.stem(batch.inputs), []
        for l, candidates in enumerate(state.supernet.blocks):
            features = ones[l] * candidates[choices_LT[l, t]](features)
            if l in state.supernet.taps:
                tapped.append(features)
        outputs = {task.name: state.supernet.heads[task.name](tuple(tapped), batch.inputs.shape[2:])}
        loss = task.weight * task_losses([task], outputs, batch)[task.name]
        for l, slope in enumerate(torch.autograd.grad(loss, ones)):
            total = total + slope * soft_LTC[l, t, choices_LT[l, t]]
    (gradient_LTC,) = torch.autograd.grad(total, leaf_LTC)
    return gradient_LTC


@pytest.mark.parametrize("candidates", ["plain", "batched"])
@pytest.mark.parametrize("space", ["planted", "digits"])
@pytest.mark.parametrize("without", [(), ("t1",)])
def test_the_logits_gradient_is_that_of_the_formula(space, without, candidates):
    backbone, tasks, shape, label_shape = SPACES[space]
    tasks = tuple(task.model_copy(update={"weight": 100.0 * (1 + t)}) for t, task in enumerate(tasks))
    step_settings = GradientSettings(
        routing="one_path",
        logits=OptimizerSettings(kind="sgd", lr=1.0),
        penalty=FixedPenalty(weight=0.0),
        candidates=candidates,
    )
    table = measure_costs(backbone, tasks, shape).table
    for seed in range(3):
        state = new_state(backbone, tasks, step_settings, seed, num_candidates=2)
        whole = random_batch(tasks, shape, label_shape, seed)
        labels = {name: label for name, label in whole.labels.items() if name not in without}
        batch = Batch(whole.inputs, labels, {name: whole.present[name] for name in labels})
        expected_LTC = naive_logits_gradient(state, batch, tasks, 1.5, seed)
        before_LTC, weights = state.logits_LTP.detach().clone(), copied_state(state.supernet.heads)
        generator = torch.Generator().manual_seed(seed)
        routing_LTC = sample_routing(state.logits_LTP, 1.5, hard=True, generator=generator)
        losses = logits_step(state, batch, routing_LTC, tasks, step_settings, table, None, 0.5)
        assert set(losses) == set(labels)
        # Logits are in single precision.
        torch.testing.assert_close(before_LTC - state.logits_LTP.detach(), expected_LTC, rtol=1e-4, atol=1e-5)
        assert expected_LTC.abs().max() > 0.1
        torch.testing.assert_close(copied_state(state.supernet.heads), weights, rtol=0, atol=0)


def count_runs(state):
    runs = []
    for l, candidates in enumerate(state.supernet.blocks):
        for c, candidate in enumerate(candidates):
            candidate.register_forward_hook(lambda *_, key=(l, c): runs.append(key))
    return runs


def test_both_steps_run_the_sampled_tree_and_no_other_candidate():
    backbone, tasks, shape, _ = SPACES["planted"]
    step_settings = GradientSettings(routing="one_path")
    state, batch = new_state(backbone, tasks, step_settings), random_batch(tasks, shape, None, 0)
    table = measure_costs(backbone, tasks, shape).table
    routing_LTC = sample_routing(state.logits_LTP, 1.0, hard=True, generator=torch.Generator().manual_seed(0))
    runs = count_runs(state)
    choices = routing_LTC.argmax(dim=-1).tolist()
    tree = BranchTree.from_choices(names(tasks), choices)
    # Before their first run parts are tried once; that does not count.
    weight_step(state, batch, routing_LTC, tasks, step_settings)
    runs.clear()
    weight_step(state, batch, routing_LTC, tasks, step_settings)
    assert sorted(dict(runs)) == [0, 1, 2]
    assert [sum(run[0] == l for run in runs) for l in range(3)] == list(tree.num_groups)
    assert set(runs) == {(l, c) for l, row in enumerate(choices) for c in row}
    done = list(runs)
    logits_step(state, batch, routing_LTC, tasks, step_settings, table, None, 0.5)
    assert runs == 2 * done
