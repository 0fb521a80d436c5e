"""`nas settings`: every field, as the code has it."""

import json

import pytest

import nas
from nas.cli.main import run
from nas.recipe import Experiment, lazy
from nas.strategies import STRATEGIES
from nas.tasks import Task

NEEDED = {"bottom_up": [0.5]}
"""Budgets, for the strategies that need some."""

EXPERIMENT = Experiment(backbone=lazy(dict), data=lazy(dict))


@pytest.mark.parametrize("strategy", [None, *STRATEGIES])
def test_every_setting_says_what_it_means(strategy):
    found = nas.settings(strategy)
    assert [one.name for one in found if not one.meaning] == []
    assert not any("`" in one.meaning for one in found)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_listed_default_is_the_default_under_the_listed_name(strategy):
    """Setting each field to its default, as --set would, changes nothing."""
    experiment = EXPERIMENT.with_fields({"strategy": strategy, "goal.budgets": NEEDED.get(strategy, ())})
    for one in nas.settings(strategy):
        assert experiment.with_fields({one.name: one.default}) == experiment, one.name


def test_all_settings_are_those_of_the_experiment_and_of_each_strategy():
    found = nas.settings()
    names = {one.name for one in found}
    assert set(Experiment.model_fields) <= names
    for strategy in STRATEGIES:
        readers = {one.name for one in found if strategy in one.strategies}
        assert readers == {one.name for one in nas.settings(strategy)}
    for one in found:
        if not one.strategies and not one.required and ".NAME." not in one.name:
            assert EXPERIMENT.with_fields({one.name: one.default}) == EXPERIMENT, one.name
    assert {f"tasks.NAME.{field}" for field in Task.model_fields} <= names
    assert {one.name for one in found if one.required} >= {"backbone", "data", "tasks.NAME.loss"}


def test_fields_inside_others_are_listed_with_the_readers(capsys):
    assert run(["settings", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    warmups = {tuple(one["strategies"]): one["default"] for one in found if one["name"] == "strategy.warmup"}
    assert warmups == {("gradient",): None, ("bmtas",): 0.05, ("parent_choice", "ltb"): 0.1, ("bottom_up",): 5}
    assert {"name": "retrain.optimizer.lr", "default": 0.001}.items() <= next(
        one for one in found if one["name"] == "retrain.optimizer.lr"
    ).items()


def test_the_terminal_gets_names_defaults_and_meanings(capsys):
    assert run(["settings", "similarity"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "strategy.copies = 2",
        "    number of networks for each task, behind one stem. Two or more give a noise floor; one does not",
    ]
    assert 'strategy.splits = ["train", "architecture"]' in lines
    assert max(map(len, lines)) <= 100
    assert run(["settings", "simlarity"]) == 2
    assert "there is no strategy 'simlarity'; did you mean 'similarity'?" in capsys.readouterr().err
