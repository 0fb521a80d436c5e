import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nas.engine.optimizer import OptimizerSettings, ScheduleSettings, set_learning_rate


def one_weight():
    return torch.nn.Parameter(torch.tensor([1.0]))


@pytest.mark.parametrize(
    ("kind", "cls"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
)
def test_settings_reach_the_optimizer(kind, cls):
    optimizer = OptimizerSettings(kind=kind, lr=0.3, weight_decay=0.2).make([one_weight()])
    assert type(optimizer) is cls
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"]) == (0.3, 0.2)


def test_momentum_is_sgds():
    optimizer = OptimizerSettings(kind="sgd", lr=0.3, momentum=0.9).make([one_weight()])
    assert optimizer.param_groups[0]["momentum"] == 0.9
    with pytest.raises(ValidationError, match="momentum is a setting of sgd; adam has none"):
        OptimizerSettings(kind="adam", momentum=0.9)


@pytest.mark.parametrize("fields", [{"kind": "sgd"}, {"kind": "sgd", "momentum": 0.9}, {"kind": "adam"}])
def test_a_weight_may_get_its_first_gradient_later_than_others(fields):
    first, later = one_weight(), one_weight()
    optimizer = OptimizerSettings(lr=0.1, **fields).make([first, later])
    first.grad = torch.ones(1)
    optimizer.step()
    assert later == 1.0
    later.grad = torch.ones(1)
    optimizer.step()
    # The first step of any of them is one learning rate long; Adam divides by |gradient| + 1e-8.
    torch.testing.assert_close(later.detach(), torch.tensor([0.9]), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "fields", [{"lr": 0.0}, {"lr": -1.0}, {"weight_decay": -1e-4}, {"momentum": 1.0}, {"kind": "lion"}, {"beta": 0.9}]
)
def test_bad_settings_name_the_field(fields):
    with pytest.raises(ValidationError, match=next(iter(fields))):
        OptimizerSettings(**fields)


def test_a_groups_own_rate_goes_before_the_setting():
    optimizer = OptimizerSettings(lr=0.1).make([{"params": [one_weight()], "lr": 0.05}, {"params": [one_weight()]}])
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.1]


@pytest.mark.parametrize(
    ("schedule", "start", "middle", "end"),
    [
        (ScheduleSettings(kind="constant"), 1.0, 1.0, 1.0),
        (ScheduleSettings(kind="cosine"), 1.0, 0.5, 0.0),
        (ScheduleSettings(kind="polynomial", power=0.9), 1.0, 0.5**0.9, 0.0),
        (ScheduleSettings(kind="polynomial", power=2.0), 1.0, 0.25, 0.0),
    ],
)
def test_schedules_at_start_middle_and_end(schedule, start, middle, end):
    # A cosine of pi in double precision is -1, of pi / 2 it is 6e-17.
    assert [schedule.factor(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([start, middle, end], abs=1e-15)


@pytest.mark.parametrize("kind", ["constant", "cosine", "polynomial"])
def test_a_warm_up_rises_linearly_and_then_the_schedule_starts(kind):
    schedule, plain = ScheduleSettings(kind=kind, warmup=0.2), ScheduleSettings(kind=kind)
    assert [schedule.factor(p) for p in (0.0, 0.05, 0.1)] == pytest.approx([0.0, 0.25, 0.5])
    for q in (0.0, 0.25, 0.5, 1.0):
        # (0.2 + 0.8 q - 0.2) / 0.8 is q up to rounding, which a power below 1 enlarges where it ends at zero.
        assert schedule.factor(0.2 + 0.8 * q) == pytest.approx(plain.factor(q), abs=1e-12)


@pytest.mark.parametrize("num_steps", [3, 10, 40])
def test_every_step_of_a_warm_up_trains_and_its_last_one_at_the_full_rate(num_steps):
    schedule, total = ScheduleSettings(kind="constant", warmup=0.25), 4 * num_steps
    factors = [schedule.factor(i / total, 1 / total) for i in range(total)]
    assert factors == pytest.approx([min(1.0, (i + 1) / num_steps) for i in range(total)])


@given(
    st.sampled_from(["constant", "cosine", "polynomial"]),
    st.floats(0.0, 0.99),
    st.floats(0.01, 5.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
)
def test_factors_lie_in_the_unit_interval(kind, warmup, power, progress, step):
    factor = ScheduleSettings(kind=kind, warmup=warmup, power=power).factor(progress, step)
    assert isinstance(factor, float)
    assert math.isfinite(factor)
    assert 0.0 <= factor <= 1.0


def test_the_factor_is_of_the_first_rate_and_not_of_the_last():
    optimizer = OptimizerSettings(lr=0.1).make([{"params": [one_weight()], "lr": 0.05}, {"params": [one_weight()]}])
    for factor in (0.5, 0.0, 0.2):
        set_learning_rate(optimizer, factor)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([factor * 0.05, factor * 0.1])


def test_the_first_rate_survives_saving_and_loading():
    settings = OptimizerSettings(lr=0.1)
    optimizer = settings.make([one_weight()])
    set_learning_rate(optimizer, 0.5)
    resumed = settings.make([one_weight()])
    resumed.load_state_dict(optimizer.state_dict())
    set_learning_rate(resumed, 0.5)
    assert resumed.param_groups[0]["lr"] == 0.05


@pytest.mark.parametrize(
    "fields", [{"kind": "sgd"}, {"kind": "sgd", "momentum": 0.9}, {"kind": "adam"}, {"kind": "adamw"}]
)
@pytest.mark.parametrize("grouped", [False, True])
def test_complex_weights_are_trained_as_pairs_of_real_ones(fields, grouped):
    numbers = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    found = []
    for complex_ in (False, True):
        weight = torch.nn.Parameter(torch.view_as_complex(numbers.clone()) if complex_ else numbers.clone())
        real = one_weight()
        members = [weight, real]
        optimizer = OptimizerSettings(lr=0.1, weight_decay=0.01, **fields).make(
            [{"params": members}] if grouped else iter(members)
        )
        for _ in range(3):
            optimizer.zero_grad()
            pairs = torch.view_as_real(weight) if complex_ else weight
            ((pairs - 1.0).pow(4).sum() + real.square().sum()).backward()
            optimizer.step()
        found.append((pairs.detach(), real.detach()))
    # Three steps in single precision.
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)
