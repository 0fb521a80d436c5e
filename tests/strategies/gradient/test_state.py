import math

import pytest
import torch
from toys import DEVICE, VectorBackbone, assert_same, toy_batch, toy_tasks

from nas.cost import PenaltyState
from nas.discretize import count_changed_choices
from nas.errors import InputError
from nas.networks.supernet import Supernet, own_copy_routing
from nas.strategies.gradient import GradientSettings, SearchState, weight_step
from nas.strategies.gradient.diagnostics import entropy_L

TASKS = toy_tasks(3)
BACKBONE = VectorBackbone(2)
SETTINGS = GradientSettings()


def new_state(tasks=TASKS, backbone=BACKBONE, settings=SETTINGS, **options):
    return SearchState.start(Supernet(backbone, tasks, **options), settings, DEVICE)


def saved_record():
    """What a checkpoint folder gives back."""
    state = new_state()
    weight_step(state, toy_batch(TASKS), own_copy_routing(2, 3, 3), TASKS, SETTINGS)
    return {"num_epochs": 4, **state.record()}


def test_a_search_starts_from_uniform_logits():
    state = new_state(num_candidates=2)
    assert torch.equal(state.logits_LTP, torch.zeros(2, 3, 2))
    assert state.logits_LTP.is_leaf
    assert state.logits_LTP.requires_grad
    assert (state.num_epochs, state.best_epoch, state.history) == (0, None, [])


def test_the_optimizers_have_their_own_parameters_each():
    state = new_state()
    (weights,), (logits,) = state.weight_optimizer.param_groups, state.logits_optimizer.param_groups
    assert [id(parameter) for parameter in weights["params"]] == [id(p) for p in state.supernet.parameters()]
    assert [id(parameter) for parameter in logits["params"]] == [id(state.logits_LTP)]
    assert (weights["lr"], weights["weight_decay"]) == (1e-3, 1e-4)
    assert (logits["lr"], logits["weight_decay"]) == (1e-2, 5e-5)


def test_a_record_is_taken_over_whole():
    state = new_state()
    weight_step(state, toy_batch(TASKS), own_copy_routing(2, 3, 3), TASKS, SETTINGS)
    state.penalty = PenaltyState(5.0, 0.5, 0.25)
    state.best_epoch, state.best_loss, state.history = 3, 0.5, [{"epoch": 0}]
    with torch.no_grad():
        state.logits_LTP.normal_()
    other = new_state()
    other.load({"num_epochs": 4, **state.record()}, "here")
    assert other.num_epochs == 4
    assert_same(other.record(), state.record())
    assert other.logits_LTP.requires_grad
    # The optimiser goes on with the leaf that was there.
    assert other.logits_optimizer.param_groups[0]["params"][0] is other.logits_LTP


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tasks": toy_tasks(2)}, "its tasks are"),
        ({"tasks": TASKS[::-1]}, r"its tasks are \['t0', 't1', 't2'\], here they are \['t2', 't1', 't0'\]"),
        ({"num_candidates": 2}, r"its logits are \[2, 3, 3\], here they are \[2, 3, 2\]"),
        ({"backbone": VectorBackbone(3)}, "its logits are"),
        ({"backbone": VectorBackbone(2, width=8)}, "Supernet"),
        ({"affine_last_norm": False}, "Supernet"),
    ],
)
def test_a_checkpoint_of_another_architecture_names_the_place_and_the_difference(options, reason):
    with pytest.raises(
        InputError, match=rf"^run/checkpoint: not a checkpoint of this experiment's supernet .*{reason}"
    ) as raised:
        new_state(**options).load(saved_record(), "run/checkpoint")
    assert "\n" not in str(raised.value)


MISSING = object()
NUMBERS = ("num_epochs", "best_loss")
STATES = ("tasks", "supernet", "logits_LTC", "weight_optimizer", "logits_optimizer", "penalty")


@pytest.mark.parametrize(
    ("field", "broken"),
    [
        *((field, value) for field in (*STATES, *NUMBERS) for value in (MISSING, 1j, [1j], {"x": 1})),
        *((field, torch.zeros(1)) for field in STATES),
        ("history", MISSING),
        ("history", 1j),
        ("best_epoch", MISSING),
    ],
)
def test_a_broken_record_is_refused_with_its_place(field, broken):
    record = saved_record()
    if broken is MISSING:
        del record[field]
    else:
        record[field] = broken
    with pytest.raises(InputError, match=r"^here: not a checkpoint of this experiment's supernet"):
        new_state().load(record, "here")


def test_entropy_is_one_for_uniform_and_zero_for_sharp_logits():
    logits_LTC = torch.zeros(3, 2, 4)
    logits_LTC[1, :, 0] = 1e4
    logits_LTC[2, 0, 0] = 1e4
    # Row 2: one task has decided, the other has not.
    torch.testing.assert_close(entropy_L(logits_LTC), torch.tensor([1.0, 0.0, 0.5], dtype=torch.float64))


def test_entropy_by_hand():
    logits_LTC = torch.tensor([[[math.log(3.0), 0.0]]])
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(2)
    assert entropy_L(logits_LTC).tolist() == pytest.approx([expected])


def test_one_candidate_leaves_nothing_to_decide():
    assert entropy_L(torch.zeros(2, 3, 1)).tolist() == [0.0, 0.0]


def test_changed_choices_are_counted():
    before_LTC = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    after_LTC = torch.tensor([[[0.0, 1.0], [0.0, 2.0]]])
    assert count_changed_choices(before_LTC, after_LTC) == 1
    assert count_changed_choices(before_LTC, 2 * before_LTC) == 0
