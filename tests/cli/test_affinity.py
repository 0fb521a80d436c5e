"""The strategies of `nas.strategies.affinity` through the commands: by name, killed and resumed, cut and explained."""

import json
import random
import time
from pathlib import Path

import pytest
from separate_process import start_command
from small_digits import refused

from nas.cli.main import run
from nas.run import RunFolder

RECIPE = """
import sys
sys.path.append(PLACE)
import nas
from nas import Experiment, Goal, lazy
from nas.strategies.affinity import BottomUp, GradientAffinity, Grouping, Lookahead, TwoTask, what_to_share
from toys import IN_FEATURES, ToyData, VectorBackbone, toy_tasks

TASKS = toy_tasks(3)
SHARED = dict(epochs=4, batch_size=16)

def experiment():
    return Experiment(
        tasks=TASKS, backbone=lazy(VectorBackbone, num_blocks=2), data=lazy(ToyData, tasks=TASKS, size=96),
        input_shape=(IN_FEATURES,), goal=Goal(budgets=(0.7, 0.95)),
        strategies={
    "two_task": TwoTask(length=0.4),
            "grouping": Grouping(length=0.4),
            "gradient_affinity": GradientAffinity(**SHARED),
            "lookahead": Lookahead(**SHARED),
            "what_to_share": what_to_share(candidates="plain", num_rows=64, **SHARED),
            "bottom_up": BottomUp(warmup=1, num_rows=64, **SHARED),
        },
        retrain=nas.TrainingSettings(epochs=5, batch_size=16), device="cpu", num_threads=1,
    )
"""

NAMES = ("two_task", "grouping", "gradient_affinity", "lookahead", "what_to_share", "bottom_up")

RECORDS = {"bottom_up": "merging.json", "what_to_share": "similarity.json"}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "recipe.py"
    # Workers of Ray do not have pytest's path.
    path.write_text(RECIPE.replace("PLACE", repr(str(Path(__file__).parents[1]))))
    return str(path)


@pytest.mark.parametrize("name", NAMES)
def test_a_strategy_is_named_checked_searched_cut_and_shown(name, recipe, tmp_path, capsys):
    folder = tmp_path / "run"
    assert run(["check", recipe, "--strategy", name]) == 0
    assert run(["search", recipe, "--strategy", name, "--out", str(folder)]) == 0
    front = RunFolder(folder).front
    assert {point.budget for point in front.points} == {0.7, 0.95}
    assert (folder / "trials/0" / RECORDS.get(name, "affinity.json")).is_file()
    assert run(["front", str(folder), "--recipe", recipe, "--budgets", "0.8"]) == 0
    assert 0.8 in {point.budget for point in RunFolder(folder).front.points}
    # Some of these short searches recommend no tree.
    assert run(["show", str(folder), "--tree", front.points[0].tree_id]) == 0
    assert run(["retrain", str(folder), "--recipe", recipe, "--tree", front.points[0].tree_id]) == 0


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("two_task", "trainings/*/*/checkpoint/epoch-*.pt"),
        ("lookahead", "checkpoint/epoch-*.pt"),
        ("bottom_up", "checkpoint/epoch-*.pt"),
    ],
)
def test_a_search_that_is_killed_ends_the_same(name, place, recipe, tmp_path, epochs):
    whole, folder = tmp_path / "whole", tmp_path / "run"
    command, rng = ["search", recipe, "--strategy", name, "--out"], random.Random(name)
    assert run([*command, str(whole)]) == 0
    assert len(set(epochs)) == len(epochs)
    process = start_command(*command, str(folder))
    while process.is_alive() and not list(folder.glob(f"trials/0/{place}")):
        time.sleep(0.002)
    time.sleep(rng.uniform(0.0, 0.1))
    process.kill()
    process.join()
    assert run([*command, str(folder), "--resume"]) == 0
    for file in ("front.json", *(f"trials/0/{each}" for each in ("metrics.jsonl", "diagnosis.json", "result.json"))):
        assert (folder / file).read_bytes() == (whole / file).read_bytes(), file
    record = RECORDS.get(name, "affinity.json")
    assert (folder / "trials/0" / record).read_bytes() == (whole / "trials/0" / record).read_bytes()


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("two_task", "strategy.epochs=3", "no field 'epochs'"),
        ("grouping", "strategy.stages=2", "no field 'stages'"),
        (
            "grouping",
            'goal.constraints={"shared_prefix": 1, "apart": [{"tasks": ["t0", "t1"], "from_block": 1}]}',
            "at the root only",
        ),
        ("gradient_affinity", "strategy.rate=0.1", "no field 'rate'"),
        ("gradient_affinity", "processes=2", "GradientAffinity does not share batches"),
        ("lookahead", "strategy.rate=0", "strategy.rate"),
        ("bottom_up", "strategy.warmup=4", "warmup 4 leaves none of 4 epochs"),
        ("bottom_up", "goal.budgets=[]", "set goal.budgets"),
    ],
)
def test_wrong_settings_are_refused_before_a_folder_is_made(name, change, words, recipe, tmp_path, capsys):
    out = tmp_path / "run"
    assert words in refused(capsys, "search", recipe, "--strategy", name, "--out", out, "--set", change)
    assert not out.exists()


@pytest.mark.slow
def test_searches_of_several_seeds_are_pooled(recipe, tmp_path):
    folder = tmp_path / "run"
    changes = ("--set", "trials.seeds=3")
    assert run(["search", recipe, "--strategy", "gradient_affinity", "--out", str(folder), *changes]) == 0
    assert json.loads((folder / "pooled.json").read_text())
