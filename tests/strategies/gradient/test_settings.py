from itertools import pairwise

import pytest
from pydantic import ValidationError

from nas.cost import DualPenalty, FixedPenalty
from nas.engine.optimizer import OptimizerSettings
from nas.networks.supernet.samplers import DSelectK, Entmax
from nas.strategies import Goal, Gradient, bmtas
from nas.strategies.gradient import GradientSettings
from nas.strategies.similarity import SimilaritySettings

MACS_PER_GFLOP = 0.5e9  # a multiply and an add are two operations


def test_bmtas_is_the_published_table():
    settings = bmtas()
    assert settings.num_candidates is None  # T copies of each block
    assert settings.affine_last_norm is False
    assert settings.equal_start is True
    assert settings.routing == "soft"
    assert (settings.epochs, settings.batch_size) == (160, 16)
    assert settings.warmup_epochs == 8  # the first 1/20
    assert settings.sampler.kind == "gumbel"
    assert settings.temperature == (5.0, 0.1)
    assert (settings.temperature_at(8), settings.temperature_at(159)) == pytest.approx((5.0, 0.1))
    assert settings.weights == OptimizerSettings(kind="adam", lr=1e-3, weight_decay=1e-4)
    assert settings.weight_step == "per_task"
    assert settings.logits == OptimizerSettings(kind="adam", lr=1e-2, weight_decay=5e-5)
    assert settings.reset_optimizers is True
    assert settings.reset_statistics is True
    assert settings.penalty == FixedPenalty(weight=0.05, per=MACS_PER_GFLOP)
    assert settings.discretize == "argmax"


def test_bmtas_with_changes():
    settings = bmtas(epochs=4, batch_size=2, discretize="exact")
    assert (settings.epochs, settings.batch_size, settings.discretize) == (4, 2, "exact")
    assert settings.penalty == bmtas().penalty
    with pytest.raises(ValidationError, match="epoch_count"):
        bmtas(epoch_count=4)


def test_the_default_penalty_follows_a_budget():
    assert isinstance(GradientSettings().penalty, DualPenalty)


def test_penalties_are_told_apart_by_kind():
    assert GradientSettings(penalty={"kind": "fixed", "weight": 0.1}).penalty == FixedPenalty(weight=0.1)
    assert GradientSettings(penalty={"kind": "dual", "ramp": 0.5}).penalty == DualPenalty(ramp=0.5)


def test_settings_survive_json():
    settings = bmtas(epochs=7)
    assert Gradient.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("epochs", "warmup", "expected"),
    [
        (160, 1 / 20, 8),
        (20, 0.0, 0),
        (20, 0.05, 1),
        (10, 0.05, 1),  # at least one
        (2, 0.05, 1),
        (1, 0.05, 0),  # never the last
        (4, 0.99, 3),
        (100, 0.29, 29),  # 28.999999999999996 in double precision
        (100, 0.57, 57),
        (10, 0.25, 2),
    ],
)
def test_warmup_epochs(epochs, warmup, expected):
    assert GradientSettings(epochs=epochs, warmup=warmup).warmup_epochs == expected


@pytest.mark.parametrize(("epochs", "warmup"), [(160, 1 / 20), (20, 0.0), (3, 0.3), (2, 0.0)])
def test_the_temperature_falls_linearly_from_the_first_to_the_second_value(epochs, warmup):
    settings = GradientSettings(epochs=epochs, warmup=warmup, temperature=(5.0, 0.1))
    first, last = settings.warmup_epochs, epochs - 1
    temperatures = [settings.temperature_at(epoch) for epoch in range(first, epochs)]
    assert (temperatures[0], temperatures[-1]) == pytest.approx((5.0, 0.1))
    steps = [b - a for a, b in pairwise(temperatures)]
    assert steps == pytest.approx([-4.9 / (last - first)] * (last - first))


def test_a_single_epoch_of_search_is_at_the_last_temperature():
    assert GradientSettings(epochs=2, warmup=0.5).temperature_at(1) == pytest.approx(0.1)
    assert GradientSettings(epochs=1).temperature_at(0) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"warmup": 1.0}, "warmup"),
        ({"batch_size": 0}, "batch_size"),
        ({"num_candidates": 0}, "num_candidates"),
        ({"routing": "one-path"}, "routing"),
        ({"temperature": (5.0, 0.0)}, "temperature"),
        ({"weight_step": "each"}, "weight_step"),
        ({"unrolled": True}, "unrolled"),
        ({"init": "similarity", "warmup": 0.1}, "init already trains own copies instead of a warm-up"),
        ({"init": "copies"}, "init"),
        ({"sampler": "dselect"}, "sampler"),
        ({"sampler": {"kind": "dselect_k", "k": 0}}, "sampler.dselect_k.k"),
        ({"sampler": "dselect_k", "temperature": (5.0, 0.1)}, "temperature .* has none; leave it out"),
        ({"sampler": "entmax", "init": "similarity"}, "init gives logits .* 'entmax' cannot hold them"),
    ],
)
def test_bad_settings_name_the_field(fields, message):
    with pytest.raises(ValidationError, match=message):
        GradientSettings(**fields)


def test_a_sampler_is_named_or_set():
    assert GradientSettings(sampler="entmax").sampler == Entmax()
    assert GradientSettings(sampler={"kind": "dselect_k", "k": 2}).sampler == DSelectK(k=2)
    assert GradientSettings(temperature=None).temperature_at(0) == GradientSettings(
        temperature=(5.0, 0.1)
    ).temperature_at(0)


def test_own_copies_take_the_place_of_the_warmup():
    settings = GradientSettings(init="similarity")
    assert settings.init == SimilaritySettings()
    assert settings.warmup_epochs == 0
    assert GradientSettings().warmup_epochs == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"budgets": (0.0,)}, "budgets"),
        ({"resource": "joules"}, "resource"),
        ({"constraints": {"apart": [["a"]]}}, "constraints.apart"),
        ({"epochs": 3}, "epochs"),
    ],
)
def test_bad_goals_name_the_field(fields, message):
    with pytest.raises(ValidationError, match=message):
        Goal(**fields)


@pytest.mark.parametrize("goal", [Goal(budgets=(0.5,)), Goal(constraints={"shared_prefix": 1})])
def test_the_arg_max_serves_no_budget_and_no_constraint(goal):
    bmtas(discretize="exact").check_goal(goal)
    with pytest.raises(ValueError, match=r"'argmax' cannot keep .*; leave goal\.\w+ .*out"):
        bmtas().check_goal(goal)
