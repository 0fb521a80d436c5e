import pytest
import torch
from toys import DEVICE, IN_FEATURES, VectorBackbone, copied_state, names, seeded, toy_batch, toy_tasks

from nas.cost import FixedPenalty, expected_cost, measure_costs
from nas.engine.optimizer import OptimizerSettings
from nas.errors import InputError
from nas.networks.supernet import Supernet, one_hot_routing, own_copy_routing, sample_routing
from nas.strategies.gradient import GradientSettings, SearchState, logits_step, weight_step
from nas.tasks import Task, task_losses

TASKS = toy_tasks(3)
BACKBONE = VectorBackbone(2)
TABLE = measure_costs(BACKBONE, TASKS, (IN_FEATURES,)).table
SGD = OptimizerSettings(kind="sgd", lr=1.0)


def new_state(settings, tasks=TASKS, num_candidates=3):
    def make():
        supernet = Supernet(BACKBONE, tasks, num_candidates, equal_start=False)
        state = SearchState.start(supernet, settings, DEVICE)
        with torch.no_grad():
            state.logits_LTP.normal_()
        return state

    return seeded(make)


def soft_routing(state):
    return sample_routing(state.logits_LTP, 1.0, hard=False, generator=torch.Generator().manual_seed(0))


def take_logits_step(state, batch, settings, tasks=TASKS, routing_LTC=None, progress=0.5):
    routing_LTC = soft_routing(state) if routing_LTC is None else routing_LTC
    return logits_step(state, batch, routing_LTC, tasks, settings, TABLE, None, progress)


def parameters(state):
    return {name: parameter.detach().clone() for name, parameter in state.supernet.named_parameters()}


def is_statistic(name):
    return "running_" in name or "num_batches" in name


@pytest.mark.parametrize("kind", ["per_task", "joint"])
def test_the_weight_step_leaves_the_logits_bitwise_alone(kind):
    settings = GradientSettings(weight_step=kind)
    state = new_state(settings)
    before_LTC, weights = state.logits_LTP.detach().clone(), parameters(state)
    weight_step(state, toy_batch(TASKS), soft_routing(state), TASKS, settings)
    assert torch.equal(state.logits_LTP, before_LTC)
    assert state.logits_LTP.grad is None
    assert not state.logits_optimizer.state
    assert state.logits_LTP.requires_grad
    changed = [
        name for name, parameter in state.supernet.named_parameters() if not torch.equal(parameter, weights[name])
    ]
    assert changed == list(weights)


def test_the_logits_step_leaves_the_weights_bitwise_alone_and_moves_the_statistics():
    settings = GradientSettings()
    state = new_state(settings)
    before, before_LTC = copied_state(state.supernet), state.logits_LTP.detach().clone()
    take_logits_step(state, toy_batch(TASKS), settings)
    assert torch.all(state.logits_LTP != before_LTC)
    assert not state.weight_optimizer.state
    for name, tensor in state.supernet.state_dict().items():
        # In training mode, a BatchNorm's running statistics see the batch; nothing else of a supernet may change.
        assert torch.equal(tensor, before[name]) != is_statistic(name), name
    assert all(parameter.grad is None and parameter.requires_grad for parameter in state.supernet.parameters())


@pytest.mark.parametrize("raises", [False, True])
def test_frozen_weights_stay_frozen_and_others_trainable(raises):
    def loss(outputs, labels):
        if raises:
            raise ArithmeticError("no loss")
        return (outputs - labels).square().mean()

    settings = GradientSettings()
    tasks = (TASKS[0], Task(name="t1", num_outputs=2, loss=loss, metrics=("rmse",)), TASKS[2])
    state = new_state(settings, tasks)
    state.supernet.stem.requires_grad_(False)
    flags = {name: parameter.requires_grad for name, parameter in state.supernet.named_parameters()}
    assert set(flags.values()) == {True, False}
    try:
        take_logits_step(state, toy_batch(TASKS), settings, tasks)
    except InputError:
        assert raises
    else:
        assert not raises
    assert {name: parameter.requires_grad for name, parameter in state.supernet.named_parameters()} == flags
    if not raises:
        stem, head = copied_state(state.supernet.stem[0]), copied_state(state.supernet.heads)
        weight_step(state, toy_batch(TASKS), soft_routing(state), tasks, settings)
        torch.testing.assert_close(copied_state(state.supernet.stem[0]), stem, rtol=0, atol=0)
        assert not torch.equal(state.supernet.heads["t0"].linear.weight, head["t0.linear.weight"])


@pytest.mark.parametrize("kind", ["per_task", "joint"])
def test_a_task_without_labels_moves_no_weight_of_its_own(kind):
    settings = GradientSettings(weight_step=kind, weights=OptimizerSettings(weight_decay=0.1))
    state = new_state(settings)
    own = own_copy_routing(2, 3, 3)
    # Adam has moments for t1's copies from a step with its labels, and would move them even on a gradient of zero.
    weight_step(state, toy_batch(TASKS), own, TASKS, settings)
    before = parameters(state)
    losses = weight_step(state, toy_batch(TASKS, without=["t1"], seed=1), own, TASKS, settings)
    assert list(losses) == ["t0", "t2"]
    unchanged = {name for name, parameter in state.supernet.named_parameters() if torch.equal(parameter, before[name])}
    assert unchanged == {name for name in before if name.startswith(("heads.t1.", "blocks.0.1.", "blocks.1.1."))}


def test_a_task_without_labels_gives_its_logits_no_gradient():
    settings = GradientSettings(logits=SGD, penalty=FixedPenalty(weight=0.0))
    state = new_state(settings)
    before_LTC = state.logits_LTP.detach().clone()
    losses = take_logits_step(state, toy_batch(TASKS, without=["t1"]), settings)
    assert list(losses) == ["t0", "t2"]
    changed_T = (state.logits_LTP != before_LTC).any(dim=2).any(dim=0)
    assert changed_T.tolist() == [True, False, True]
    assert not state.logits_LTP.grad[:, 1].any()


@pytest.mark.parametrize("kind", ["per_task", "joint"])
def test_a_batch_without_labels_changes_nothing(kind):
    settings = GradientSettings(weight_step=kind)
    state, batch = new_state(settings), toy_batch(TASKS, without=names(TASKS))
    before, before_LTC, penalty = copied_state(state.supernet), state.logits_LTP.detach().clone(), state.penalty
    assert weight_step(state, batch, soft_routing(state), TASKS, settings) == {}
    assert take_logits_step(state, batch, settings) == {}
    torch.testing.assert_close(copied_state(state.supernet), before, rtol=0, atol=0)
    assert torch.equal(state.logits_LTP, before_LTC)
    assert state.penalty == penalty


@pytest.mark.parametrize(
    ("kind", "without", "num_steps"), [("per_task", ["t1"], 2), ("per_task", [], 3), ("joint", [], 1)]
)
def test_optimizer_steps_are_one_per_labelled_task_or_one_for_all(kind, without, num_steps):
    settings = GradientSettings(weight_step=kind)
    state, steps = new_state(settings), []
    state.weight_optimizer.register_step_post_hook(lambda *_: steps.append(1))
    weight_step(state, toy_batch(TASKS, without=without), soft_routing(state), TASKS, settings)
    assert len(steps) == num_steps


def test_a_joint_step_follows_the_weighted_sum():
    settings = GradientSettings(weight_step="joint", weights=SGD)
    tasks = tuple(task.model_copy(update={"weight": 1.0 + t}) for t, task in enumerate(TASKS))
    state, batch = new_state(settings), toy_batch(TASKS, missing=0.3)
    routing_LTC, before = soft_routing(state).detach(), parameters(state)
    losses = task_losses(tasks, state.supernet(batch.inputs, routing_LTC), batch)
    total = losses["t0"] + 2 * losses["t1"] + 3 * losses["t2"]
    gradients = torch.autograd.grad(total, list(state.supernet.parameters()))
    returned = weight_step(state, batch, routing_LTC, tasks, settings)
    for (name, parameter), gradient in zip(state.supernet.named_parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter, before[name] - gradient)
    # What is returned is not weighted, and holds no graph.
    torch.testing.assert_close(returned, {name: loss.detach() for name, loss in losses.items()})
    assert not any(loss.requires_grad for loss in returned.values())


def test_steps_per_task_see_the_weights_after_the_task_before():
    settings = GradientSettings(weight_step="per_task", weights=SGD)
    tasks = tuple(task.model_copy(update={"weight": 1.0 + t}) for t, task in enumerate(TASKS))
    state, reference, batch = new_state(settings), new_state(settings), toy_batch(TASKS)
    routing_LTC = soft_routing(state).detach()
    expected = {}
    for t, task in enumerate(tasks):
        loss = task_losses([task], reference.supernet(batch.inputs, routing_LTC, [task.name]), batch)[task.name]
        expected[task.name] = loss.detach()
        trained = list(reference.supernet.parameters())
        gradients = torch.autograd.grad((1 + t) * loss, trained, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(trained, gradients, strict=True):
                if gradient is not None:
                    parameter -= gradient
    torch.testing.assert_close(weight_step(state, batch, routing_LTC, tasks, settings), expected)
    torch.testing.assert_close(parameters(state), parameters(reference))


@pytest.mark.parametrize("without", [[], ["t1"]])
def test_the_logits_step_follows_losses_and_one_penalty_per_labelled_task(without):
    settings = GradientSettings(logits=SGD, penalty=FixedPenalty(weight=0.7, per=100.0))
    tasks = tuple(task.model_copy(update={"weight": 1.0 + t}) for t, task in enumerate(TASKS))
    state, batch = new_state(settings), toy_batch(TASKS, without=without)
    before_LTC = state.logits_LTP.detach().clone()
    leaf_LTC = before_LTC.clone().requires_grad_()
    routing_LTC = sample_routing(leaf_LTC, 1.0, hard=False, generator=torch.Generator().manual_seed(0))
    losses = task_losses(tasks, state.supernet(batch.inputs, routing_LTC), batch)
    cost = expected_cost(leaf_LTC.softmax(dim=-1), TABLE, "macs")
    weights = {task.name: task.weight for task in tasks}
    total = sum(weights[name] * loss for name, loss in losses.items()) + len(losses) * 0.7 * cost / 100.0
    (gradient_LTC,) = torch.autograd.grad(total, leaf_LTC)
    returned = take_logits_step(state, batch, settings, tasks)
    torch.testing.assert_close(state.logits_LTP.detach(), before_LTC - gradient_LTC)
    assert set(returned) == set(names(TASKS)) - set(without)
    assert state.penalty.progress == 0.5


def test_one_hot_routing_trains_what_it_runs():
    settings = GradientSettings()
    state = new_state(settings)
    before = parameters(state)
    weight_step(state, toy_batch(TASKS), one_hot_routing([[0, 0, 1], [2, 0, 1]], 3), TASKS, settings)
    unchanged = {name for name, parameter in state.supernet.named_parameters() if torch.equal(parameter, before[name])}
    assert unchanged == {name for name in before if name.startswith("blocks.0.2.")}


def test_gradients_do_not_pile_up_over_steps():
    settings = GradientSettings(weights=SGD, logits=SGD, weight_step="joint")
    batch = toy_batch(TASKS)
    state, fresh = new_state(settings), new_state(settings)
    take_logits_step(state, batch, settings)
    weight_step(state, batch, soft_routing(fresh), TASKS, settings)
    with torch.no_grad():
        for parameter, other in zip(state.supernet.parameters(), fresh.supernet.parameters(), strict=True):
            parameter.copy_(other)
        state.logits_LTP.copy_(fresh.logits_LTP)
    for one in (state, fresh):
        routing_LTC = soft_routing(fresh)
        weight_step(one, batch, routing_LTC, TASKS, settings)
        take_logits_step(one, batch, settings)
    torch.testing.assert_close(parameters(state), parameters(fresh))
    torch.testing.assert_close(state.logits_LTP, fresh.logits_LTP)
