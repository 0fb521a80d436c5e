"""A user's own strategy, in the user's own file, works like those that are here."""

import json

import pytest
from small_digits import refused

from nas.cli.main import run
from nas.run import RunFolder

RECIPE = """
import sys
from nas import CompareSettings, Experiment, Goal, TrainingSettings, lazy
from mine import Nearest
from toys import IN_FEATURES, ToyData, VectorBackbone, toy_tasks

TASKS = toy_tasks(3)

def experiment():
    return Experiment(
        tasks=TASKS, backbone=lazy(VectorBackbone, num_blocks=2), data=lazy(ToyData, tasks=TASKS),
        input_shape=(IN_FEATURES,), goal=Goal(budgets=(0.7, 0.9)), strategy=Nearest(draws=5),
        retrain=TrainingSettings(epochs=1, batch_size=16), compare=CompareSettings(seeds=(0,), random_trees=1),
        device="cpu", num_threads=1,
    )
"""

STRATEGY = '''
import os
from dataclasses import dataclass

import numpy as np

from nas.cost import resolve_budget
from nas.strategies import Found, FoundTree
from nas.tree import BranchTree, random_tree

@dataclass(frozen=True)
class Nearest:
    """Of some random trees within each budget the dearest; a checkpoint keeps how far it is."""

    draws: int = 10
    wrong: str = ""

    def __post_init__(self):
        if self.draws < 1:
            raise ValueError(f"draws must be at least 1; found {self.draws}")

    def search(self, problem):
        table, resource, names = problem.table, problem.goal.resource, problem.task_names
        saved = problem.store.checkpoints.latest()
        history, trees = [] if saved is None else saved["history"], []
        for number, budget in enumerate(problem.goal.budgets):
            rng = np.random.default_rng([problem.seed, number])
            limit = resolve_budget(budget, table, resource)
            drawn = [random_tree(names, table, limit, resource=resource, rng=rng) for _ in range(self.draws)]
            tree = max(drawn, key=lambda tree: table.tree_cost(tree)[resource])
            if self.wrong == "cost":
                tree = BranchTree.separate(names, len(table.blocks))
            if self.wrong == "tasks":
                tree = BranchTree.shared(names[:2], len(table.blocks))
            value = table.tree_cost(tree)[resource] if not self.wrong else 0.0
            sure = {"confidence": 1.1 if self.wrong == "confidence" else 0.8, "kind": "measured"}
            trees.append(FoundTree(tree, budget, value, "cost", std=-1.0 if self.wrong == "std" else 0.5, **sure))
            if number == len(history):
                history = [*history, {"epoch": number, "phase": "draws"}]
                problem.store.checkpoints.save(number + 1, {"history": history}, None)
                problem.on_epoch(history)
                if os.environ.get("INTERRUPT") == str(number):
                    raise KeyboardInterrupt
        return Found(tuple(trees), history)
'''


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "mine.py").write_text(STRATEGY)
    (tmp_path / "recipe.py").write_text(RECIPE)
    return str(tmp_path / "recipe.py")


def test_it_is_checked_searched_shown_retrained_and_compared(recipe, tmp_path, capsys):
    out = str(tmp_path / "run")
    assert run(["check", recipe]) == 0
    assert run(["search", recipe, "--out", out, "--set", "strategy.draws=7"]) == 0
    record = json.loads((tmp_path / "run" / "experiment.json").read_text())["experiment"]["strategy"]
    assert record == {"type": "mine.Nearest", "args": {"draws": 7, "wrong": ""}}
    front = RunFolder(tmp_path / "run").front
    assert {point.budget for point in front.points} == {0.7, 0.9}
    told = {(point.quality.kind, point.quality.std, point.confidence, point.grade) for point in front.points}
    assert told == {("measured", 0.5, 0.8, "likely")}
    for command in (["show", out], ["retrain", out], ["evaluate", out], ["compare", out]):
        assert run(command) == 0, command
    capsys.readouterr()
    assert "keeps no weights to inherit" in refused(capsys, "retrain", out, "--from", "inherited")


def test_it_is_resumed_to_the_same_result(recipe, tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run(["search", recipe, "--out", str(whole)]) == 0
    monkeypatch.setenv("INTERRUPT", "0")
    assert run(["search", recipe, "--out", str(stopped)]) == 130
    monkeypatch.delenv("INTERRUPT")
    assert run(["search", recipe, "--out", str(stopped), "--resume"]) == 0
    for name in ("front.json", "trials/0/metrics.jsonl"):
        assert (stopped / name).read_text() == (whole / name).read_text()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("strategy.draws=0", "draws must be at least 1"),
        ("strategy.draw=3", "known are draws, wrong"),
        ("processes=2", "Nearest does not share batches"),
        ("strategy=nearest", "known are similarity, gradient, bmtas"),
    ],
)
def test_its_settings_are_read_or_refused(recipe, change, words, tmp_path, capsys):
    assert words in refused(capsys, "search", recipe, "--out", tmp_path / "run", "--set", change)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("cost", "more than its budget 0.7"),
        ("tasks", "the experiment has 2 and"),
        ("confidence", "a probability from 0 to 1"),
        ("std", "with std=-1.0"),
    ],
)
def test_a_wrong_tree_ends_the_search_in_words(recipe, wrong, words, tmp_path, capsys):
    assert run(["search", recipe, "--out", str(tmp_path / "run"), "--set", f"strategy.wrong={wrong}"]) == 1
    assert words in capsys.readouterr().err
