"""Overrides change any field and validate again; whatever else is given is refused in one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.datasets.digits import digit_tasks
from nas.errors import InputError
from nas.recipe import Experiment, apply_changes, lazy, parse_overrides


def an_experiment() -> Experiment:
    return Experiment(
        tasks=digit_tasks(),
        backbone=lazy(dict, a=1),
        data=lazy(divmod),
        input_shape=(1, 12, 20),
        strategy="bmtas",
    )


def test_values_are_json_or_plain_text():
    parsed = parse_overrides(["strategy.epochs=5", "goal.budgets=[0.4, 0.6]", "strategy=bmtas", "x=a=b", "y="])
    assert parsed == {"strategy.epochs": 5, "goal.budgets": [0.4, 0.6], "strategy": "bmtas", "x": "a=b", "y": ""}


def test_a_change_leaves_everything_else_alone():
    before = an_experiment()
    after = apply_changes(before, {"strategy.weights.lr": 0.5, "retrain.epochs": 3})
    assert after.strategy.weights.lr == 0.5
    assert after.retrain.epochs == 3
    assert after.strategy.model_copy(update={"weights": before.strategy.weights}) == before.strategy
    assert after.tasks == before.tasks
    assert before.strategy.weights.lr == 1e-3


def test_tasks_are_named_and_arguments_of_lazy_objects_are_fields():
    after = apply_changes(an_experiment(), {"tasks.left.weight": 2.5, "backbone.b": 7})
    assert {task.name: task.weight for task in after.tasks}["left"] == 2.5
    assert after.backbone() == {"a": 1, "b": 7}


def test_a_named_setting_is_put_in_place_before_its_fields_are_changed():
    start = apply_changes(an_experiment(), {"strategy.epochs": 9, "strategy.batch_size": 9})
    for names in (("strategy.epochs", "strategy"), ("strategy", "strategy.epochs")):
        changed = apply_changes(start, {name: {"strategy.epochs": 3, "strategy": "bmtas"}[name] for name in names})
        assert (changed.strategy.epochs, changed.strategy.batch_size) == (3, 16)


def test_fields_that_only_fit_together_can_be_changed_in_any_order():
    start = an_experiment()
    both = {"strategy.discretize": "exact", "goal.budgets": [0.5]}
    there = apply_changes(start, both)
    assert there.goal.budgets == (0.5,)
    back = {"strategy.discretize": "argmax", "goal.budgets": []}
    assert apply_changes(there, back).strategy == start.strategy
    assert apply_changes(there, dict(reversed(back.items()))).strategy == start.strategy
    # Also if the strategy is replaced, and the new one fits only the new goal.
    named = {"strategy": "bmtas", "strategy.epochs": 3, "goal.budgets": []}
    for names in (named, dict(reversed(named.items()))):
        changed = apply_changes(there, names)
        assert (changed.strategy.discretize, changed.strategy.epochs, changed.goal.budgets) == ("argmax", 3, ())


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("strategy.epochs", 0, "strategy.epochs"),
        ("strategy.epochs", "many", "many"),
        ("strategy.epoch", 3, "known are"),
        ("strategy", "nothing", "known are similarity, gradient, bmtas"),
        ("strategy.epochs.more", 3, "has no fields that can be set"),
        ("tasks.up.weight", 3, "known are left"),
        ("tasks.left.weight", -1, "weight"),
        ("data.nothing", 3, "no argument"),
        ("device", "tpu", "device"),
        ("goal.budgets", [0.5], "argmax"),
        ("strategy.temperature", [1.0, float("nan")], "strategy.temperature.1"),
        ("tasks.left.loss", "none", "tasks.left.loss"),
        ("num_threads", 10**6, "num_threads"),
        ("", 3, "no field"),
    ],
)
def test_what_cannot_be_is_refused_by_name(name, value, words):
    with pytest.raises(InputError) as raised:
        apply_changes(an_experiment(), {name: value})
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@given(st.text(), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_any_text_is_taken_or_refused(name, value):
    texts = [f"{name}={json.dumps(value)}", name, f"strategy.{name}={json.dumps(value)}", f"strategy.epochs={value}"]
    for text in texts:
        try:
            changed = apply_changes(an_experiment(), parse_overrides([text]))
        except InputError as error:
            lines = str(error).splitlines()
        else:
            lines = [type(changed).__name__]
        assert len(lines) == 1, lines
