import math

import pytest
import torch
from toys import DEVICE, assert_same

from nas.engine.optimizer import OptimizerSettings
from nas.training.balance import AveragePace, LearnedFactors, RandomFactors, make_balance
from nas.training.methods import BALANCES

NAMES = ("a", "b", "c")
SGD = OptimizerSettings(kind="sgd", lr=0.1, weight_decay=0.5)


def losses(**values):
    return {name: torch.tensor(value) for name, value in values.items()}


def floats(factors):
    return {name: factor.item() for name, factor in factors.items()}


@pytest.mark.parametrize("name", BALANCES)
def test_a_single_task_needs_no_balance(name):
    assert make_balance(name, ["a"], SGD, DEVICE) is None
    assert make_balance(name, NAMES, SGD, DEVICE) is not None
    assert make_balance("none", NAMES, SGD, DEVICE) is None


@pytest.mark.parametrize(("name", "first"), [("uncertainty", 0.5), ("imtl_l", 1.0)])
def test_learned_factors_follow_the_gradient_of_the_published_loss(name, first):
    balance = LearnedFactors(name, NAMES, SGD, DEVICE)
    assert floats(balance.factors()) == pytest.approx(dict.fromkeys(NAMES, first))
    # d/ds of exp(-s) L / 2 + s / 2, and of exp(s) L - s, at 0; half the rate, and no decay.
    balance.learn(losses(a=3.0, c=0.2), lr_factor=0.5)
    slopes = {"a": (1 - 3.0) / 2, "c": (1 - 0.2) / 2} if name == "uncertainty" else {"a": 3.0 - 1, "c": 0.2 - 1}
    sign = -1 if name == "uncertainty" else 1
    expected = {task: first * math.exp(-sign * 0.05 * slopes.get(task, 0.0)) for task in NAMES}
    # One exponential in single precision.
    assert floats(balance.factors()) == pytest.approx(expected, rel=1e-6)


def test_uncertainty_comes_to_weigh_each_loss_by_its_inverse():
    balance = LearnedFactors("uncertainty", ("a", "b"), OptimizerSettings(kind="sgd", lr=0.5), DEVICE)
    for _ in range(200):
        balance.learn(losses(a=4.0, b=0.25), lr_factor=1.0)
    # The minimum over s is at exp(-s) = 1 / L.
    assert floats(balance.factors()) == pytest.approx({"a": 0.125, "b": 2.0}, rel=1e-4)


def test_the_average_pace_is_the_published_one():
    balance = AveragePace(NAMES)
    for means in ({"a": 2.0, "b": 1.0, "c": 1.0}, {"a": 1.0, "b": 0.8, "c": 1.5}):
        assert floats(balance.factors()) == dict.fromkeys(NAMES, 1.0)
        balance.end_epoch(means)
    powers = {"a": math.exp(0.5 / 2), "b": math.exp(0.8 / 2), "c": math.exp(1.5 / 2)}
    expected = {name: 3 * power / sum(powers.values()) for name, power in powers.items()}
    assert floats(balance.factors()) == pytest.approx(expected, rel=1e-6)
    balance.end_epoch({"a": 1.0, "b": 0.8, "c": 1.5})
    assert floats(balance.factors()) != pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("means", [{"a": 1.0, "b": 0.5}, {"a": 1.0, "b": 0.5, "c": 0.0}])
def test_the_pace_of_a_task_that_has_none_is_left_alone(means):
    balance = AveragePace(NAMES)
    balance.end_epoch(means)
    balance.end_epoch({"a": 0.5, "b": 0.5, "c": 1.0})
    powers = {"a": math.exp(0.5 / 2), "b": math.exp(1.0 / 2)}
    expected = {name: 2 * power / sum(powers.values()) for name, power in powers.items()} | {"c": 1.0}
    assert floats(balance.factors()) == pytest.approx(expected, rel=1e-6)


def test_without_any_pace_all_weigh_alike():
    balance = AveragePace(NAMES)
    for _ in range(3):
        balance.end_epoch({})
    assert floats(balance.factors()) == dict.fromkeys(NAMES, 1.0)


def test_random_factors_add_up_to_one_and_are_drawn_anew():
    balance = RandomFactors(NAMES)
    torch.manual_seed(0)
    drawn = [floats(balance.factors()) for _ in range(3)]
    for factors in drawn:
        assert list(factors) == list(NAMES)
        assert sum(factors.values()) == pytest.approx(1.0, rel=1e-6)
        assert min(factors.values()) > 0.0
    assert drawn[0] != drawn[1] != drawn[2]
    torch.manual_seed(0)
    assert floats(balance.factors()) == drawn[0]


@pytest.mark.parametrize("name", BALANCES)
def test_a_balance_goes_on_from_its_state(name):
    adam = OptimizerSettings(kind="adam", lr=0.1)

    def go_on(balance, steps):
        for step in steps:
            balance.learn(losses(a=1.0 + step, b=0.3), lr_factor=0.9)
            balance.end_epoch({"a": 1.0 + step, "b": 0.3, "c": 1.0 / (1 + step)})
        torch.manual_seed(0)
        return balance.factors()

    undisturbed = go_on(make_balance(name, NAMES, adam, DEVICE), range(5))
    first, second = (make_balance(name, NAMES, adam, DEVICE) for _ in range(2))
    go_on(first, range(3))
    second.load_state_dict(first.state_dict())
    assert_same(go_on(second, range(3, 5)), undisturbed)
