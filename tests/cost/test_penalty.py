"""Penalties on logits alone, without networks: the dual one reaches its budget, a weight of zero does nothing."""

import json

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from nas.cost import DualPenalty, FixedPenalty, Penalty, PenaltyState, expected_groups
from nas.errors import InputError

SHARE_L = torch.tensor([0.3, 0.3, 0.2, 0.1, 0.1], dtype=torch.float64)
"""Cost of one instance of each block, as a share of one network."""


def search(penalty, budget: float | None, *, seed: int, num_steps: int = 400) -> tuple[float, Tensor, list[float]]:
    """Logits whose tasks each prefer candidates of their own, in Adam's hands; final cost share, logits, duals."""
    generator = torch.Generator().manual_seed(seed)
    num_tasks = 4
    own_LTC = 2 * torch.eye(num_tasks, dtype=torch.float64) + torch.randn(5, 4, 4, generator=generator).double()
    wanted_LTC = own_LTC.softmax(-1)
    logits_LTC = torch.zeros(5, 4, 4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits_LTC], lr=0.03)
    state, duals = None, []
    for step in range(num_steps):
        cost = SHARE_L @ expected_groups(logits_LTC.softmax(-1)) / num_tasks
        state = penalty.initial_state(cost.item()) if state is None else state
        preference = -0.1 * (wanted_LTC * logits_LTC.log_softmax(-1)).sum() / num_tasks
        loss = preference + penalty.loss(state, cost, step / num_steps, budget, 1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state = penalty.update(state, cost.item(), step / num_steps, budget, 1.0)
        duals.append(state.dual)
    final = SHARE_L @ expected_groups(logits_LTC.detach().softmax(-1)) / num_tasks
    return final.item(), logits_LTC.detach(), duals


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("budget", [0.5, 0.7])
def test_dual_penalty_reaches_the_budget_and_does_not_collapse(budget, seed):
    free, _, _ = search(FixedPenalty(weight=0), budget, seed=seed)
    assert free > 0.8  # the control: nothing but the penalty brings the cost down
    cost, logits_LTC, duals = search(DualPenalty(), budget, seed=seed)
    assert cost == pytest.approx(budget, rel=0.02)
    assert max(duals) > 0
    # Collapsed to shared would be all tasks on one candidate at every block, a cost of 0.25.
    assert any(len(set(row.tolist())) > 1 for row in logits_LTC.argmax(-1))


def test_without_its_ramp_and_damping_the_dual_penalty_overshoots():
    cost, _, _ = search(DualPenalty(ramp=1e-3, damping=0.0), 0.7, seed=0)
    assert abs(cost / 0.7 - 1) > 0.02


def test_dual_penalty_rests_when_the_budget_is_above_the_cost_or_missing():
    for budget in (2.0, None):
        cost, logits_LTC, duals = search(DualPenalty(), budget, seed=0, num_steps=100)
        free, undisturbed_LTC, _ = search(FixedPenalty(weight=0), budget, seed=0, num_steps=100)
        assert max(duals) == 0
        assert cost == free
        assert torch.equal(logits_LTC, undisturbed_LTC)


def test_weight_zero_leaves_logits_bitwise_alone():
    logits_LTC = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    before = logits_LTC.detach().clone()
    optimizer = torch.optim.Adam([logits_LTC], lr=0.1)
    penalty = FixedPenalty(weight=0)
    cost = expected_groups(logits_LTC.softmax(-1)).sum()
    penalty.loss(penalty.initial_state(cost.item()), cost, 0.5, None, 1.0).backward()
    optimizer.step()
    assert torch.equal(logits_LTC.detach(), before)


def test_fixed_penalty_is_the_published_one():
    # BMTAS: 0.05 per GFLOP, and a GFLOP is 0.5e9 MACs.
    cost = torch.tensor(3e9, dtype=torch.float64, requires_grad=True)
    penalty = FixedPenalty(weight=0.05, per=0.5e9)
    loss = penalty.loss(penalty.initial_state(3e9), cost, 0.0, None, 1.0)
    loss.backward()
    assert loss.item() == pytest.approx(0.05 * 6, rel=1e-12)
    assert cost.grad is not None
    assert cost.grad.item() == pytest.approx(0.05 / 0.5e9, rel=1e-12)


def test_target_is_a_ramp_from_the_initial_cost_to_the_budget():
    penalty, state = DualPenalty(ramp=0.5), PenaltyState(initial_cost=10.0)
    assert [penalty.target(state, p, 4.0) for p in (0.0, 0.25, 0.5, 1.0)] == [10.0, 7.0, 4.0, 4.0]
    assert penalty.target(state, 0.0, 12.0) == 12.0


def test_dual_variable_integrates_the_excess_over_progress():
    penalty, state = DualPenalty(ramp=0.5, rate=10.0, damping=0.0), PenaltyState(initial_cost=10.0)
    state = penalty.update(state, 11.0, 0.25, 4.0, scale=20.0)
    assert state == PenaltyState(10.0, dual=10.0 * (11 - 7) / 20 * 0.25, progress=0.25)
    cost = torch.tensor(11.0, requires_grad=True)
    loss = penalty.loss(state, cost, 0.5, 4.0, scale=20.0)
    loss.backward()
    assert loss.item() == pytest.approx(0.5 * (11 - 4) / 20, rel=1e-6)  # single precision
    assert cost.grad is not None
    assert cost.grad.item() == pytest.approx(0.5 / 20, rel=1e-6)
    assert penalty.update(state, -1000.0, 1.0, 4.0, scale=20.0).dual == 0.0


def test_state_survives_json():
    state = PenaltyState(initial_cost=1 / 3, dual=0.1, progress=0.7)
    assert PenaltyState.from_dict(json.loads(json.dumps(state.to_dict()))) == state
    with pytest.raises(InputError, match="initial_cost"):
        PenaltyState.from_dict({"dual": 1.0})


def test_settings_are_told_apart_by_kind_and_refuse_nonsense():
    adapter = TypeAdapter(Penalty)
    assert adapter.validate_python({"kind": "dual"}) == DualPenalty()
    assert adapter.validate_python({"kind": "fixed", "weight": 0}) == FixedPenalty(weight=0.0)
    for bad in (
        {"kind": "fixed", "weight": -1},
        {"kind": "dual", "ramp": 0},
        {"kind": "dual", "weight": 1},
        {"kind": "none"},
    ):
        with pytest.raises(ValidationError):
            adapter.validate_python(bad)
