"""The measured search on planted effects: what it finds, what it asks to train, and that it repeats itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from constrained_trees import keeps
from planted_sharing import PlantedEvaluator, gains_of, planted_problem, some_effects, task_names

from nas.discretize import Constraints
from nas.errors import InputError
from nas.strategies import Goal, Transfer
from nas.strategies.transfer import choice
from nas.tree import BranchTree, enumerate_trees

BUDGETS = (0.55, 0.7, 0.95)
THOROUGH = Transfer(trainings=30.0, start=None, margin=0.05, chance=0.0, batch=6)


def planted(folder, num_tasks=4, num_blocks=3, seed=0, noise=0.1, goal=Goal(budgets=BUDGETS)):  # noqa: B008
    effects_LTT = some_effects(np.random.default_rng(seed), num_tasks, num_blocks)
    return planted_problem(num_tasks, num_blocks, goal, folder, PlantedEvaluator(effects_LTT, noise))


def best_gain(problem, limit):
    """The greatest mean gain of all trees within a limit that keep the constraints, by enumeration."""
    trees = [
        tree
        for tree in enumerate_trees(problem.task_names, len(problem.table.blocks))
        if problem.table.tree_cost(tree)["macs"] <= limit and keeps(tree, problem.goal.constraints, problem.table)
    ]
    return max(gains_of(problem.evaluator.effects_LTT, trees).mean(1).tolist())


def gain_of(problem, tree):
    return float(gains_of(problem.evaluator.effects_LTT, [tree]).mean())


def facts(found):
    return [(t.tree.partitions, t.budget, t.value, t.std, t.confidence, t.kind, t.measure) for t in found.trees]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_the_best_tree_within_each_budget_is_found(seed, tmp_path):
    problem = planted(tmp_path, seed=seed)
    found = THOROUGH.search(problem)
    assert [tree.budget for tree in found.trees] == [*BUDGETS, None]
    separate = problem.table.separate_cost()["macs"]
    for tree in found.trees:
        limit = (tree.budget or max(BUDGETS)) * separate
        assert problem.table.tree_cost(tree.tree)["macs"] <= limit
        # Trees whose gains differ by less than the noise of a training, 0.1, cannot be told apart.
        assert gain_of(problem, tree.tree) > best_gain(problem, limit) - 0.1
        assert abs(tree.value - gain_of(problem, tree.tree)) < 4.0 * tree.std + 0.1
    assert found.curve.exact
    assert found.trees[-1].tree == found.trees[-2].tree


@pytest.mark.parametrize(
    "constraints",
    [
        {"together": [["t0", "t1"]]},
        {"apart": [["t0", "t2"]]},
        {"shared_prefix": 1},
        {"together": [{"tasks": ["t0", "t1"], "through_block": 0}], "apart": [["t2", "t3"]], "own_cost": {"t2": 0.9}},
    ],
)
def test_all_trained_trees_keep_the_constraints_but_separate_networks(constraints, tmp_path):
    goal = Goal(budgets=(0.8, 0.95), constraints=Constraints(**constraints))
    problem = planted(tmp_path, goal=goal)
    found = Transfer(trainings=9.0, start=None, chance=0.0, batch=3).search(problem)
    separate = BranchTree.separate(task_names(4), 3)
    trained = problem.evaluator.trained()
    assert trained[separate] == 3
    for tree in trained.keys() - {separate}:
        assert keeps(tree, goal.constraints, problem.table)
    for tree in found.trees:
        assert keeps(tree.tree, goal.constraints, problem.table)
        limit = (tree.budget or 0.95) * problem.table.separate_cost()["macs"]
        assert gain_of(problem, tree.tree) > best_gain(problem, limit) - 0.5


@pytest.mark.parametrize("budgets", [(), (0.8,)])
@pytest.mark.parametrize(("num_tasks", "num_blocks"), [(1, 1), (1, 3), (2, 1), (3, 1)])
def test_small_problems_end(num_tasks, num_blocks, budgets, tmp_path):
    goal = Goal(budgets=budgets if num_tasks > 1 else budgets and (1.0,))
    problem = planted(tmp_path, num_tasks, num_blocks, goal=goal)
    found = Transfer(trainings=8.0, start=None).search(problem)
    largest = found.trees[-1]
    assert largest.budget is None
    limit = (max(goal.budgets) if budgets else 1.0) * problem.table.separate_cost()["macs"]
    assert gain_of(problem, largest.tree) > best_gain(problem, limit) - 0.2
    assert len(found.trees) == len(goal.budgets) + 1
    assert len(problem.evaluator.trained()) <= len(list(enumerate_trees(task_names(num_tasks), num_blocks)))


def test_more_than_eight_tasks_are_searched_by_beam(tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "_DRAWS", 2)
    problem = planted(tmp_path, num_tasks=9, num_blocks=2, goal=Goal(budgets=(0.6,)))
    found = Transfer(trainings=3.0, start=None, chance=0.99).search(problem)
    assert not found.curve.exact
    shared = BranchTree.shared(task_names(9), 2)
    assert gain_of(problem, found.trees[0].tree) >= gain_of(problem, shared)
    assert problem.table.tree_cost(found.trees[0].tree)["macs"] <= 0.6 * problem.table.separate_cost()["macs"]


def test_a_search_repeats_itself(tmp_path):
    state = torch.get_rng_state()
    first, second = planted(tmp_path / "1"), planted(tmp_path / "2")
    strategy = Transfer(trainings=5.0, start=None)
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    found, again = strategy.search(first), strategy.search(second)
    assert facts(found) == facts(again)
    assert found.history == again.history
    assert first.evaluator.asked == second.evaluator.asked
    assert (tmp_path / "1/transfer.json").read_bytes() == (tmp_path / "2/transfer.json").read_bytes()
    assert torch.equal(torch.get_rng_state(), state)


def test_the_size_of_a_batch_is_kept_and_the_history_tells_every_training(tmp_path):
    problem = planted(tmp_path)
    sizes, train = [], problem.evaluator.train
    problem.evaluator.train = lambda requests: sizes.append(len(requests)) or train(requests)
    found = Transfer(trainings=8.0, start=None, batch=3).search(problem)
    assert max(sizes) == 3
    assert [record["epoch"] for record in found.history] == list(range(len(problem.evaluator.asked)))
    for record, request in zip(found.history, problem.evaluator.asked, strict=True):
        assert record["phase"] == f"tree {request.tree.id} trained for {request.num_epochs} epochs"
        assert record["losses"].keys() == set(task_names(4))


def test_a_clear_choice_ends_the_search_early(tmp_path):
    problem = planted(tmp_path)
    Transfer(trainings=1000.0, start=None, margin=50.0).search(problem)
    # The first trees, and the finals.
    assert len([request for request in problem.evaluator.asked if request.num_epochs == 3]) == 6


def test_all_trees_are_estimated_on_one_scale_with_their_errors(tmp_path):
    # The posterior mean of a tree that was trained in full is no measurement of its own network either.
    found = Transfer(trainings=9.0, start=None, finals=3, batch=4).search(planted(tmp_path))
    assert {tree.kind for tree in found.trees} == {"estimated"}
    assert len({tree.measure for tree in found.trees}) == 1
    assert all(tree.std > 0 for tree in found.trees)


def test_pooled_searches_are_surer_than_each_of_them(tmp_path):
    few = Transfer(trainings=8.0, start=None, chance=0.0, finals=1)
    folders = [tmp_path / str(seed) for seed in range(3)]
    for folder in folders:
        folder.mkdir()
    problems = [planted(folder, noise=4.0) for folder in folders]
    found = []
    for seed, problem in enumerate(problems):
        problem.evaluator.seed = seed
        found.append(few.search(replace(problem, seed=seed)))
    first = problems[0]
    pooled = few.pool([problem.store for problem in problems], first.table, first.goal)
    assert [tree.budget for tree in pooled.trees] == [*BUDGETS, None]
    for i, tree in enumerate(pooled.trees):
        assert tree.std < np.mean([one.trees[i].std for one in found])
        # A limit that a right interval misses once in 1,000 trees.
        assert abs(tree.value - gain_of(first, tree.tree)) < 3.3 * tree.std
    assert few.pool([first.store], first.table, first.goal).trees == found[0].trees


def test_searches_of_other_tasks_are_not_pooled(tmp_path):
    stores = []
    for num_tasks in (3, 4):
        folder = tmp_path / str(num_tasks)
        folder.mkdir()
        problem = planted(folder, num_tasks=num_tasks)
        Transfer(trainings=4.0, start=None, finals=0).search(problem)
        stores.append(problem.store)
    with pytest.raises(InputError, match="must have the same tasks and blocks"):
        THOROUGH.pool(stores, problem.table, problem.goal)


def test_cut_gives_the_same_trees_for_the_same_goal_and_others_for_others(tmp_path):
    problem = planted(tmp_path)
    found = THOROUGH.search(problem)
    without = planted_problem(4, 3, problem.goal, tmp_path)
    again = THOROUGH.cut(without)
    assert facts(again) == facts(found)
    assert again.diagnosis == found.diagnosis
    assert (again.curve.value_K == found.curve.value_K).all()
    goal = Goal(budgets=(0.8,), constraints=Constraints(apart=[["t0", "t1"]]))
    other = THOROUGH.cut(planted_problem(4, 3, goal, tmp_path))
    assert [tree.budget for tree in other.trees] == [0.8, None]
    limit = 0.8 * problem.table.separate_cost()["macs"]
    for tree in other.trees:
        assert problem.table.tree_cost(tree.tree)["macs"] <= limit
        assert keeps(tree.tree, goal.constraints, problem.table)
    free = planted(tmp_path, goal=Goal(budgets=(0.8,)))
    assert gain_of(free, THOROUGH.cut(free).trees[0].tree) > best_gain(free, limit) - 0.1
    assert not free.evaluator.asked


def test_cut_without_a_search_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"transfer\.json"):
        THOROUGH.cut(planted_problem(4, 3, Goal(), tmp_path))
    (tmp_path / "transfer.json").write_text('{"tasks": 3}')
    with pytest.raises(InputError, match=r"transfer\.json"):
        THOROUGH.cut(planted_problem(4, 3, Goal(), tmp_path))


def test_the_plan_by_time_follows_the_time_of_a_training(tmp_path):
    problem = planted(tmp_path, goal=Goal(budgets=(0.5,)))
    problem.evaluator.seconds = 100.0
    strategy = Transfer(start=None)
    # A full training within the budget costs half of separate networks: 41 units, 10 epochs of 100 s each.
    full = 0.5 * problem.table.separate_cost()["macs"] * 10 * 100.0
    assert strategy.trainings_within(problem, 7.0 * full / 3600.0) == pytest.approx(7.0)
    assert strategy.first_steps(problem).seconds == pytest.approx(10.0 * full)
    assert Transfer(start=None, hours=1.0).first_steps(problem).seconds == 3600.0
    with pytest.raises(InputError, match=r"`hours`: 0.01 hours are too little"):
        strategy.trainings_within(problem, 0.01)


def test_full_trainings_at_the_end_are_of_trees_within_every_budget(tmp_path):
    problem = planted(tmp_path)
    Transfer(trainings=20.0, start=None, finals=2).search(problem)
    table, separate = problem.table, problem.table.separate_cost()["macs"]
    costs = [table.tree_cost(tree)["macs"] for tree, epochs in problem.evaluator.trained().items() if epochs == 10]
    assert max(costs) <= max(BUDGETS) * separate
    for budget in BUDGETS:
        assert sum(cost <= budget * separate for cost in costs) >= 2, budget
