"""NNI's strategies over a planted evaluator: seeds, resumption, batches, what is refused, and what NNI leaves alone."""

import os
import random
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from planted_sharing import PlantedEvaluator, gains_of, planted_problem, some_effects

from nas.errors import InputError
from nas.strategies import TPE, Evolution, Goal, PolicyRL, RandomTrees
from nas.strategies.nni import strategies
from nas.strategies.proposals import Proposals, Turn
from nas.tree import enumerate_trees

pytest.importorskip("nni")

SPENDING = {"trainings": 7.0, "finals": 1}
KINDS = {
    "random": RandomTrees(**SPENDING),
    "evolution": Evolution(population=3, tournament=2, **SPENDING),
    "tpe": TPE(startup=4, **SPENDING),
    "policy_rl": PolicyRL(per_update=3, **SPENDING),
}


@pytest.fixture(params=KINDS)
def strategy(request):
    if request.param == "policy_rl":
        pytest.importorskip("tianshou")
    return KINDS[request.param]


class Luck(PlantedEvaluator):
    """Draws from the global generators while it trains, keeps what it trained, and may be killed."""

    def __init__(self, effects_LTT, kill_at=None, stored=None):
        super().__init__(effects_LTT, noise=0.5)
        self.kill_at, self.stored, self.trained_now = kill_at, {} if stored is None else stored, 0

    def train(self, requests):
        for request in requests:
            if request not in self.stored:
                if self.trained_now == self.kill_at:
                    raise KeyboardInterrupt
                self.trained_now += 1
                random.random(), np.random.random(), torch.rand(())  # noqa: NPY002, as a user's data source may
                self.stored[request] = self._evaluation(request)
            self.asked.append(request)
        return [self.stored[request] for request in requests]


def problem(folder, seed=0, **fields):
    its = planted_problem(4, 3, Goal(budgets=(0.55, 0.8)), folder, Luck(planted_effects(), **fields))
    return replace(its, seed=seed)


def planted_effects():
    return some_effects(np.random.default_rng(0), 4, 3)


def facts(found):
    return [(t.tree, t.budget, t.value, t.measure) for t in found.trees], list(found.history), found.diagnosis


def test_a_seed_gives_the_same_proposals_and_another_one_others(strategy, tmp_path):
    first, again, other = problem(tmp_path), problem(tmp_path), problem(tmp_path, seed=1)
    found = strategy.search(first)
    random.seed(5), np.random.seed(5), torch.manual_seed(5)  # noqa: NPY002, the process may have drawn from it
    assert facts(strategy.search(again)) == facts(found)
    strategy.search(other)
    assert first.evaluator.asked == again.evaluator.asked
    assert first.evaluator.asked != other.evaluator.asked


def test_the_numbers_of_a_training_are_those_without_nni(strategy, tmp_path):
    random.seed(7), np.random.seed(7), torch.manual_seed(7)  # noqa: NPY002
    its = problem(tmp_path)
    strategy.search(its)
    after = random.random(), np.random.random(), torch.rand(())  # noqa: NPY002
    random.seed(7), np.random.seed(7), torch.manual_seed(7)  # noqa: NPY002
    for _ in range(its.evaluator.trained_now):
        random.random(), np.random.random(), torch.rand(())  # noqa: NPY002
    assert after == (random.random(), np.random.random(), torch.rand(()))  # noqa: NPY002


@pytest.mark.slow
def test_a_search_that_is_killed_at_any_training_resumes_to_the_same_result(strategy, tmp_path):
    whole = problem(tmp_path)
    found = strategy.search(whole)
    every = range(whole.evaluator.trained_now)
    # Learning by PPO takes a second for every search.
    for kill_at in every if not isinstance(strategy, PolicyRL) else (1, 5, 9):
        stored = {}
        with pytest.raises(KeyboardInterrupt):
            strategy.search(problem(tmp_path, kill_at=kill_at, stored=stored))
        assert len(stored) == kill_at
        resumed = problem(tmp_path, stored=stored)
        assert facts(strategy.search(resumed)) == facts(found)
        assert resumed.evaluator.trained_now == len(every) - kill_at
        assert resumed.evaluator.asked == whole.evaluator.asked


@pytest.mark.parametrize("batch", [1, 3])
def test_no_tree_is_trained_twice_and_batches_are_full(strategy, batch, tmp_path):
    its = problem(tmp_path)
    sizes, train = [], its.evaluator.train
    its.evaluator.train = lambda requests: sizes.append(len(requests)) or train(requests)
    type(strategy)(**{**dict(strategy), "batch": batch}).search(its)
    assert len(set(its.evaluator.asked)) == len(its.evaluator.asked)
    assert max(sizes[1:]) == batch


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [Evolution(), TPE()])
def test_later_proposals_gain_more_than_the_first_random_ones(strategy, tmp_path, monkeypatch):
    """On average over six problems, by two standard errors; which no search does that takes gains for losses."""
    proposed, measure = [], Turn.measure
    monkeypatch.setattr(Turn, "measure", lambda turn, trees: proposed.extend(trees) or measure(turn, trees))
    leads = []
    for seed in range(6):
        proposed.clear()
        effects_LTT = some_effects(np.random.default_rng(seed), 5, 3)
        its = planted_problem(5, 3, Goal(budgets=(0.7,)), tmp_path, PlantedEvaluator(effects_LTT))
        type(strategy)(**{**dict(strategy), "trainings": 12.0, "finals": 0}).search(its)
        gains = gains_of(effects_LTT, proposed).mean(1)
        leads.append(float(gains[-12:].mean() - gains[:8].mean()))
    assert np.mean(leads) > 2.0 * np.std(leads, ddof=1) / np.sqrt(len(leads))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [Evolution(), TPE()])
def test_they_find_better_trees_than_as_many_random_ones(strategy, tmp_path):
    """On average over twelve problems without noise, by two standard errors."""
    leads = []
    for seed in range(12):
        effects_LTT = some_effects(np.random.default_rng(seed), 5, 3)
        found = []
        for kind in (strategy, RandomTrees()):
            its = planted_problem(5, 3, Goal(budgets=(0.7,)), tmp_path, PlantedEvaluator(effects_LTT))
            its = type(kind)(**{**dict(kind), "trainings": 13.0, "finals": 0}).search(its)
            found.append(its.trees[0].value)
        leads.append(found[0] - found[1])
    assert np.mean(leads) > 2.0 * np.std(leads, ddof=1) / np.sqrt(len(leads))


@pytest.mark.parametrize("name", ["Random", "GridSearch"])
def test_any_strategy_of_nni_proposes_to_the_engine(name, tmp_path):
    from nas.strategies.nni import library
    from nas.strategies.nni.engine import explore

    class Any(Proposals):
        def propose(self, turn):
            explore(turn, lambda: getattr(sys.modules["nni.nas.strategy"], name)(seed=turn.seed % 2**32))

    assert library.PolicyBasedRL is not None
    its = planted_problem(
        3, 2, Goal(budgets=(0.8,)), tmp_path, PlantedEvaluator(some_effects(np.random.default_rng(0), 3, 2))
    )
    Any(trainings=40.0, finals=0).search(its)
    limit = 0.8 * its.table.separate_cost()["macs"]
    within = {tree for tree in enumerate_trees(its.task_names, 2) if its.table.tree_cost(tree)["macs"] <= limit}
    assert within <= set(its.evaluator.trained())


@pytest.mark.parametrize(
    ("strategy", "missing", "words"),
    [
        (Evolution(), "nni", r"strategy Evolution needs nni, .*: pip install 'branched-nas\[nni\]'"),
        (TPE(), "nni", r"strategy TPE needs nni"),
        (PolicyRL(), "tianshou", r"strategy PolicyRL needs tianshou, .*: pip install 'branched-nas\[nni-rl\]'"),
    ],
)
def test_a_missing_library_is_named_before_anything_is_trained(strategy, missing, words, monkeypatch, tmp_path):
    monkeypatch.setattr(strategies, "find_spec", lambda name: None if name == missing else find_spec(name))
    its = problem(tmp_path)
    with pytest.raises(InputError, match=words):
        strategy.search(its)
    assert not its.evaluator.asked


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (lambda: Evolution(population=2, tournament=3), "tournament 3 is larger than the population of 2"),
        (lambda: Evolution(mutation=0.0), "mutation"),
        (lambda: TPE(startup=2), "startup"),
        (lambda: TPE(gamma=1.5), "gamma"),
        (lambda: PolicyRL(lr=0.0), "lr"),
    ],
)
def test_wrong_settings_are_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        fields()


PROBE = """
import logging, os, sys
from pathlib import Path
from nas.strategies import Similarity, Transfer
files = set(Path.home().rglob("*"))
assert "nni" not in sys.modules
{before}
import nas.strategies.nni.library
from nni.common.framework import get_default_framework
assert "NNI_FRAMEWORK" not in os.environ
assert get_default_framework() == "pytorch"
assert "pytorch_lightning" not in sys.modules
assert set(Path.home().rglob("*")) == files
print(len(logging.getLogger("nni").handlers))
"""


@pytest.mark.parametrize(("before", "handlers"), [("", "0"), ("import nni", "1")])
def test_importing_nni_leaves_the_process_and_the_home_as_they_were(before, handlers, tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    environment.pop("NNI_FRAMEWORK", None)
    command = [sys.executable, "-c", PROBE.format(before=before)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [handlers]
