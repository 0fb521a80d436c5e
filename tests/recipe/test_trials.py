"""Which trials an experiment has, what may be asked of them, and how they end."""

import dataclasses
from pathlib import Path

import pytest
from pydantic import ValidationError
from small_digits import RECIPE

from nas.errors import InputError, WorkFailed
from nas.recipe import Int, LogUniform, OneOf, TrialsSettings, Uniform, describe, load_recipe
from nas.run import (
    Trial,
    TrialFailure,
    TrialResult,
    check_ranges,
    describe_failure,
    plan_trials,
    read_outcome,
    trial_threads,
    write_outcome,
)


def experiment(**changes):
    return load_recipe(Path(RECIPE), {name.replace("__", "."): value for name, value in changes.items()})


def test_without_a_word_of_trials_there_is_one_with_all_budgets():
    (only,) = plan_trials(experiment(seed=3))
    assert only == Trial(0, None, 3)
    assert only.experiment(experiment(seed=3)).goal.budgets == experiment().goal.budgets


def test_the_first_seeds_give_a_whole_front_and_trials_keep_their_numbers_when_there_are_more():
    few = plan_trials(experiment(trials__budgets=[0.5, 0.7], trials__seeds=2, seed=5))
    assert [(trial.budget, trial.seed) for trial in few] == [(0.5, 5), (0.7, 5), (0.5, 6), (0.7, 6)]
    more = plan_trials(experiment(trials__budgets=[0.5, 0.7], trials__seeds=3, seed=5))
    assert more[:4] == few
    assert plan_trials(experiment(trials__budgets=[0.5, 0.7], trials__seeds=2, seed=5, trials__max_trials=3)) == few[:3]
    assert [trial.seed for trial in plan_trials(experiment(trials__seeds=[7, 3]))] == [7, 3]


def test_a_trials_experiment_has_its_budget_its_seed_and_its_values():
    trial = Trial(4, 0.7, 9, {"strategy.epochs": 2})
    own = trial.experiment(experiment())
    assert (own.goal.budgets, own.seed, own.strategy.epochs) == ((0.7,), 9, 2)
    # A number that is proposed for the list of budgets is a list of one.
    assert Trial(0, None, 0, {"goal.budgets": 0.4}).experiment(experiment()).goal.budgets == (0.4,)
    assert Trial(**trial.to_dict()) == trial


def test_proposals_take_turns_over_all_pairs():
    ranges = {"strategy.logits.lr": {"kind": "loguniform", "low": 1e-3, "high": 1e-1}}
    planned = plan_trials(experiment(trials__budgets=[0.5, 0.7], trials__ranges=ranges, trials__num_samples=2))
    assert [trial.budget for trial in planned] == [0.5, 0.7, 0.5, 0.7]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_samples": 3}, "no ranges"),
        ({"budgets": (0.5, 0.5)}, "twice"),
        ({"seeds": ()}, "at least one"),
        ({"seeds": (1, 1)}, "twice"),
        ({"seeds": 0}, "greater than 0"),
        ({"gpus": 1.5}, "whole number"),
        ({"sampler": "best"}, "sampler"),
        ({"scheduler": "asha"}, "one number"),
        ({"scheduler": "asha", "objectives": ("quality",), "budgets": (0.5, 0.7)}, "small budgets"),
        *(
            ({"scheduler": "asha", "objectives": ("quality",), "ranges": {name: Int(low=1, high=4)}}, "one length")
            for name in ("strategy.epochs", "strategy.warmup", "strategy.init", "strategy.init.epochs")
        ),
        ({"budgets": (0.5,), "ranges": {"goal.budgets": Uniform(low=0.3, high=0.9)}}, "leave one of them out"),
        ({"ranges": {"seed": Int(low=0, high=9)}}, "nothing can be proposed for it"),
        ({"ranges": {"trials.cpus": Uniform(low=1, high=2)}}, "nothing can be proposed for it"),
        *(
            ({"ranges": {"search.logits.lr": value}}, r"'kind' is one of 'uniform' \(low, high\).*found .*0\.3")
            for value in (
                {"low": 0.3, "high": 1},
                {"kind": "normal", "low": 0.3},
                {"kind": None, "low": 0.3},
                [0.3, 1],
                0.3,
            )
        ),
    ],
)
def test_settings_that_contradict_themselves_are_refused(settings, words):
    with pytest.raises(ValidationError, match=words):
        TrialsSettings(**settings)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(low=1.0, high=1.0),
        lambda: Uniform(low=0.0, high=float("inf")),
        lambda: LogUniform(low=0.0, high=1.0),
        lambda: Int(low=3, high=2),
        lambda: OneOf(values=(1,)),
        lambda: OneOf(values=("a", "a")),
        lambda: OneOf(values=(object(), 1)),
        lambda: OneOf(values=(float("nan"), 1)),
    ],
)
def test_ranges_without_room_are_refused(make):
    with pytest.raises(ValidationError):
        make()


def test_reserved_gpus_that_the_device_does_not_use_are_refused():
    with pytest.raises(InputError, match="cpu"):
        experiment(trials__gpus=0.5, device="cpu")


@pytest.mark.parametrize(
    ("name", "interval", "words"),
    [
        ("strategy.logit.lr", Uniform(low=0.1, high=1.0), "no field"),
        ("strategy.epochs", Int(low=0, high=3), "greater than 0"),
        ("strategy.routing", OneOf(values=("soft", "medium")), "medium"),
    ],
)
def test_a_range_that_its_field_cannot_take_is_refused_before_anything_runs(name, interval, words):
    whole = experiment(strategy="gradient").model_copy(update={"trials": TrialsSettings(ranges={name: interval})})
    with pytest.raises(InputError, match=words):
        check_ranges(whole)


def test_trials_are_part_of_the_record():
    record = describe(experiment(trials__budgets=[0.5]).trials)
    assert record["budgets"] == [0.5]
    assert record["seeds"] == 1


def test_a_trial_has_one_thread_unless_the_recipe_says_more():
    assert trial_threads(experiment(num_threads=None)) == 1
    assert trial_threads(experiment(num_threads=None, trials__cpus=2.5)) == 2
    assert trial_threads(experiment(num_threads=3, trials__cpus=8)) == 3


def test_outcomes_are_read_as_they_were_written_and_a_result_replaces_a_failure(tmp_path):
    assert read_outcome(tmp_path) is None
    failure = TrialFailure(cause="machine", reason="out of memory", num_attempts=2)
    write_outcome(tmp_path, failure)
    assert read_outcome(tmp_path) == failure
    stopped = TrialResult(status="stopped")
    write_outcome(tmp_path, stopped)
    assert read_outcome(tmp_path) == stopped
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    (tmp_path / "result.json").write_text('{"status": "perhaps"}')
    with pytest.raises(InputError, match=r"result\.json"):
        read_outcome(tmp_path)


@pytest.mark.parametrize(
    ("error", "cause"),
    [(InputError("a"), "input"), (WorkFailed("a"), "work"), (MemoryError(), "machine"), (KeyError("a"), "error")],
)
def test_failures_are_somebodys(error, cause):
    found, reason = describe_failure(error)
    assert found == cause
    assert reason


def test_events_and_trials_are_values():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Trial(0, None, 0).seed = 1
