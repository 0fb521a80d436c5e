"""Several seeds of a search: their trees are pooled, and a pooled tree is recommended."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from toys import DEVICE, IN_FEATURES, ToyData, VectorBackbone, names, toy_tasks

from nas.errors import InputError
from nas.recipe import Experiment, lazy
from nas.run import RunFolder, make_front, plan_trials
from nas.run.pooled_record import read_pooled
from nas.run.pooling import pool_trials
from nas.run.search_trial import run_trial
from nas.run.verdicts import concern_lines
from nas.strategies import Found, FoundTree
from nas.strategies.similarity import Dissimilarity
from nas.tree import BranchTree

TASKS = toy_tasks(3)
SHARED, SEPARATE = (BranchTree.shared(names(TASKS), 2), BranchTree.separate(names(TASKS), 2))
FAMILIES = BranchTree.from_choices(names(TASKS), [[0, 0, 1], [0, 0, 1]])


class Random:
    """A strategy that cannot pool."""

    def search(self, problem):
        return Found((FoundTree(SHARED, None, float(problem.seed), "seed"),))


def experiment(**changes):
    return Experiment(
        tasks=TASKS,
        backbone=lazy(VectorBackbone, num_blocks=2),
        data=lazy(ToyData, tasks=TASKS, size=24),
        input_shape=(IN_FEATURES,),
        device="cpu",
    ).with_fields({name.replace("__", "."): value for name, value in changes.items()})


def measured(alike, unlike):
    """Two tasks of one family and a third task, in noise floors of 1; the tolerance is 2.25."""
    d_TT = np.array([[0, alike, unlike], [alike, 0, unlike], [unlike, unlike, 0]], float)
    floor_TT = np.ones((3, 3)) - np.eye(3)
    return Dissimilarity(names(TASKS), "r2 of features", np.stack([d_TT] * 2), np.stack([floor_TT] * 2))


@pytest.fixture
def searched(tmp_path, monkeypatch):
    """Runs all trials; returns the run, its experiment and the points."""

    def found(by_seed, whole):
        def train(_, problem, **__):
            problem.store.write("similarity", by_seed[problem.seed].to_dict())
            return SimpleNamespace(history=[], copies=None), by_seed[problem.seed]

        monkeypatch.setattr("nas.strategies.similarity.strategy.train_copies", train)
        monkeypatch.setattr("nas.strategies.similarity.strategy.learned_shares", lambda *_: {})
        run = RunFolder(tmp_path / "run")
        points = []
        for trial in plan_trials(whole):
            points += run_trial(trial.experiment(whole), trial, run, DEVICE).points
        return run, whole, points

    return found


# Alone, the second seed shares everything, and has the best estimate of all.
SEEDS = {0: measured(1.4, 3.0), 1: measured(0.2, 1.5), 2: measured(1.6, 3.4)}


def test_the_recommended_tree_is_that_of_the_mean_and_not_of_the_luckiest_seed(searched):
    run, whole, points = searched(SEEDS, experiment(trials__seeds=3))
    assert make_front(points, "macs").best.tree_id == SHARED.id
    front = make_front([*points, *pool_trials(run, whole, points)], "macs")
    front.write(run.path / "front.json")
    best = front.best
    assert (best.pooled, best.trial, best.seed, best.budget) == ((0, 1, 2), 0, 0, None)
    assert run.find_tree(None) == run.find_tree(best.tree_id) == FAMILIES
    assert run.find_tree(None).cost == best.cost
    # Each of two blocks holds the pair of alike tasks once, at half weight: minus the mean of 0.4, -0.8 and 0.6.
    values = [-0.4, 0.8, -0.6]
    assert best.quality.value == pytest.approx(np.mean(values), abs=1e-8)
    assert best.quality.std == pytest.approx(np.std(values, ddof=1) / 3**0.5)
    # Estimates of one seed leave the front.
    assert [point.dominated for point in front.points if not point.pooled] == [True] * 3


def test_the_grade_and_the_agreement_of_a_pooled_tree_are_those_over_the_seeds(searched):
    run, whole, points = searched(SEEDS, experiment(trials__seeds=3))
    pooled = pool_trials(run, whole, points)
    make_front([*points, *pooled], "macs").write(run.path / "front.json")
    (group,) = read_pooled(run).groups
    assert group.trials == (0, 1, 2)
    (record,) = group.diagnosis.margins
    # The runner-up shares the first block among all, (0.4 + 2 + 2) / 3 in the first seed, and the second among none.
    # The pooled tree shares both between two tasks, 0.4 / 2 each.
    gaps = [4.4 / 3 - 0.4, 0.2 / 3 + 0.8, 5.4 / 3 - 0.6]
    one_sided = stats.ttest_1samp(gaps, 0.0, alternative="greater").pvalue
    assert pooled[0].confidence == record.confidence == pytest.approx(1.0 - one_sided)
    assert pooled[0].grade == "certain"
    (split,) = group.trees[0].splits
    assert (split.here, split.before, split.num_trees) == (2, 0, 3)
    words = "t2 parts from t0 and t1 at block0 in 2 of 3 seeds, later or never in 1"
    assert concern_lines(run) == [f"  {words}", f"nas explain {run.path} says more"]
    assert any(words in verdict.text and not verdict.concern for verdict in group.diagnosis.verdicts)


def test_a_split_that_most_seeds_lack_is_a_concern(searched):
    lucky = {0: measured(1.5, 1.9), 1: measured(1.5, 1.9), 2: measured(1.5, 9.0)}
    run, whole, points = searched(lucky, experiment(trials__seeds=3))
    make_front([*points, *pool_trials(run, whole, points)], "macs").write(run.path / "front.json")
    assert run.find_tree(None) == FAMILIES
    assert concern_lines(run)[0] == "! t2 parts from t0 and t1 at block0 in 1 of 3 seeds, later or never in 2"


def test_seeds_are_pooled_budget_by_budget(searched):
    run, whole, points = searched(SEEDS, experiment(trials__seeds=3, trials__budgets=(0.7, 1.0)))
    pooled = pool_trials(run, whole, points)
    # The trials of one seed come one after another.
    assert [(point.budget, point.pooled, point.trial) for point in pooled] == [
        *((0.7, (0, 2, 4), 0), (None, (0, 2, 4), 0)),
        *((1.0, (1, 3, 5), 1), (None, (1, 3, 5), 1)),
    ]
    assert run.find_tree(pooled[2].tree_id) == SEPARATE
    best = make_front([*points, *pooled], "macs").best
    assert best.pooled
    assert best.budget is None


def test_trials_without_a_result_are_left_out(searched):
    run, whole, points = searched(SEEDS, experiment(trials__seeds=3))
    without = [point for point in points if point.trial != 1]
    (only,) = pool_trials(run, whole, without)
    assert only.pooled == (0, 2)
    # Two seeds have a spread that says nothing, and here no errors of their own.
    assert (only.quality.std, only.confidence) == (None, None)
    assert pool_trials(run, whole, [point for point in points if point.trial == 1]) == []


def test_pooling_again_writes_the_same(searched):
    run, whole, points = searched(SEEDS, experiment(trials__seeds=3))
    first = pool_trials(run, whole, points)
    before = {path: path.read_bytes() for path in [run.path / "pooled.json", *(run.path / "trees").iterdir()]}
    assert pool_trials(run, whole, points) == first
    assert {path: path.read_bytes() for path in before} == before


def test_a_strategy_without_pool_is_left_alone(searched):
    run, whole, points = searched({}, experiment(trials__seeds=2).with_fields({"strategy": Random()}))
    assert pool_trials(run, whole, points) == []
    assert read_pooled(run).groups == ()
    assert not (run.path / "pooled.json").exists()


def test_a_malformed_record_is_named(searched):
    run, whole, points = searched(SEEDS, experiment(trials__seeds=3))
    path = run.trial(1).path / "similarity.json"
    other = {**json.loads(path.read_text()), "measure": "cka of features"}
    for record, words in (({}, r"trials/1/similarity\.json"), (other, "same tasks, blocks and measure")):
        path.write_text(json.dumps(record))
        with pytest.raises(InputError, match=words):
            pool_trials(run, whole, points)
    (run.path / "pooled.json").write_text("{}")
    with pytest.raises(InputError, match=r"pooled\.json"):
        read_pooled(run)
