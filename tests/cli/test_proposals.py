"""Searches that propose trees, through the commands: kills, further budgets, retraining, and what is refused."""

import json

import pytest
from measured_toy import RECIPE
from separate_process import start_command
from small_digits import refused

from nas.cli.main import run
from nas.run import RunFolder

OPTIONS = ("--trainings", "4", "--set", "strategy.length=0.4", "--set", "strategy.finals=1")
FILES = (
    "front.json",
    *(f"trials/0/{name}" for name in ("metrics.jsonl", "proposals.json", "diagnosis.json", "result.json")),
)


@pytest.fixture(params=["random", "evolution", "tpe", "policy_rl"])
def strategy(request):
    if request.param != "random":
        pytest.importorskip("nni")
    if request.param == "policy_rl":
        pytest.importorskip("tianshou")
    return request.param


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "recipe.py"
    path.write_text(RECIPE)
    return str(path)


def test_a_search_is_killed_and_ends_the_same_and_its_trees_are_shown_and_retrained(strategy, recipe, tmp_path, capsys):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    search = ["search", recipe, "--strategy", strategy, *OPTIONS, "--out"]
    assert run([*search, str(whole)]) == 0
    process = start_command(*search, str(killed))
    while process.is_alive() and len(list(killed.glob("trials/0/trainings/*/*/seconds.json"))) < 3:
        process.join(timeout=0.005)
    process.kill()
    process.join()
    assert not (killed / "front.json").exists()
    assert run([*search, str(killed), "--resume"]) == 0
    for name in FILES:
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    front = RunFolder(whole).front
    assert {point.budget for point in front.points} == {0.7, 0.95, None}
    assert {point.quality.kind for point in front.points} == {"measured"}
    assert json.loads((whole / "trials/0/proposals.json").read_text())["cost"] <= 4.0
    for command in (["show", str(whole)], ["explain", str(whole)], ["retrain", str(whole)]):
        assert run(command) == 0, command
    assert run(["front", str(whole), "--recipe", recipe, "--budgets", "0.8"]) == 0
    assert {point.budget for point in RunFolder(whole).front.points} == {0.7, 0.8, 0.95, None}


def test_check_predicts_the_time_and_hours_are_planned(recipe, tmp_path, capsys):
    assert run(["check", recipe, "--set", "strategy=random", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seconds"] > 0.0
    command = ["search", recipe, "--strategy", "random", "--hours", "0.001", "--out", str(tmp_path / "run")]
    assert run(command) == 0
    assert "0.001 hours are planned as" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--strategy", "random", "--trainings", "0.5"), "the first four trees cost"),
        (("--strategy", "random", "--set", "strategy.population=5"), "no field 'population'"),
        (("--strategy", "evolution", "--set", "strategy.tournament=9"), "larger than the population of 8"),
        (("--strategy", "tpe", "--set", "strategy.startup=1"), "strategy.startup"),
        (("--strategy", "tpe", "--set", "processes=2"), "TPE does not share batches"),
    ],
)
def test_wrong_settings_are_refused_before_a_folder_is_made(arguments, words, recipe, tmp_path, capsys):
    assert words in refused(capsys, "search", recipe, "--out", tmp_path / "run", *arguments)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_batch_of_proposals_is_trained_on_ray(recipe, tmp_path):
    pytest.importorskip("ray")
    command = ["search", recipe, "--strategy", "evolution", *OPTIONS, "--set", "strategy.batch=2"]
    assert run([*command, "--out", str(tmp_path / "run")]) == 0
    assert len(RunFolder(tmp_path / "run").front.points) == 3
