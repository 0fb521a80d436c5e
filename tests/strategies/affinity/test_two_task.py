"""The two-task strategy on planted effects: what it trains, what it measures, and that its trees are the best ones."""

import numpy as np
import pytest
import torch
from constrained_trees import keeps
from planted_sharing import PlantedEvaluator, gains_of, planted_problem, some_effects, task_names

from nas.discretize import Constraints
from nas.strategies import Goal
from nas.strategies.affinity import AffinityRecord, TwoTask
from nas.tree import BranchTree, enumerate_trees

BUDGETS = (0.55, 0.7, 0.95)
GOAL = Goal(budgets=BUDGETS)


def planted(folder, num_tasks=4, num_blocks=3, seed=0, goal=GOAL, noise=0.0):
    effects_LTT = some_effects(np.random.default_rng(seed), num_tasks, num_blocks)
    return planted_problem(num_tasks, num_blocks, goal, folder, PlantedEvaluator(effects_LTT, noise))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("constraints", [{}, {"apart": [["t0", "t2"]], "own_cost": {"t1": 0.9}}])
def test_effects_that_add_up_are_measured_and_the_best_trees_found(seed, constraints, tmp_path):
    goal = Goal(budgets=BUDGETS, constraints=Constraints(**constraints))
    problem = planted(tmp_path, seed=seed, goal=goal)
    found = TwoTask().search(problem)
    effects_LTT = problem.evaluator.effects_LTT
    # In a group of two the other task has the weight 1/2.
    measured_LTT = torch.tensor(AffinityRecord.read(problem.store).affinity_LTT, dtype=torch.float64)
    torch.testing.assert_close(measured_LTT, effects_LTT / 2.0)
    for tree in found.trees:
        limit = tree.budget * problem.table.separate_cost()["macs"]
        allowed = [
            each
            for each in enumerate_trees(problem.task_names, 3)
            if problem.table.tree_cost(each)["macs"] <= limit and keeps(each, goal.constraints, problem.table)
        ]
        best = gains_of(effects_LTT, allowed).mean(1).max().item()
        assert gains_of(effects_LTT, [tree.tree]).mean().item() == pytest.approx(best)
        assert tree.value == pytest.approx(best)
        assert tree.measure == "mean gain by networks of two tasks, % of loss"
    assert found.curve.exact


def test_the_separate_tree_and_all_pairs_at_all_stages_are_trained_once(tmp_path):
    problem = planted(tmp_path)
    found = TwoTask(length=0.3).search(problem)
    asked = problem.evaluator.asked
    assert {request.num_epochs for request in asked} == {3}
    assert asked[0].tree == BranchTree.separate(task_names(4), 3)
    assert len({request.tree for request in asked}) == len(asked) == 1 + 6 * 3
    assert {tuple(len(groups) for groups in request.tree.partitions) for request in asked[1:]} == {
        (1, 2, 2),
        (1, 1, 2),
        (1, 1, 1),
    }
    table, largest = problem.table, 0.95 * problem.table.separate_cost()["macs"]
    cost = sum(table.tree_cost(request.tree)["macs"] for request in asked) * 0.3 / largest
    assert AffinityRecord.read(problem.store).cost == pytest.approx(cost)
    assert [record["phase"] for record in found.history] == [
        "separate networks",
        *(f"pairs of tasks that share {l} of 3 blocks" for l in (1, 2, 3)),
    ]


def test_blocks_are_grouped_into_stages_whose_effect_is_divided(tmp_path):
    problem = planted(tmp_path, num_blocks=5)
    TwoTask(stages=2).search(problem)
    assert len(problem.evaluator.asked) == 1 + 6 * 2
    measured_LTT = torch.tensor(AffinityRecord.read(problem.store).affinity_LTT, dtype=torch.float64)
    effects_LTT = problem.evaluator.effects_LTT / 2.0
    for blocks in (slice(0, 3), slice(3, 5)):
        torch.testing.assert_close(measured_LTT[blocks], effects_LTT[blocks].mean(0).expand_as(measured_LTT[blocks]))


def test_several_trees_are_asked_for_at_a_time_with_the_same_result(tmp_path, monkeypatch):
    found = []
    for batch in (1, 4):
        (tmp_path / str(batch)).mkdir()
        problem, sizes = planted(tmp_path / str(batch), noise=1.0), []
        train = problem.evaluator.train
        monkeypatch.setattr(problem.evaluator, "train", lambda r, s=sizes, t=train: (s.append(len(r)), t(r))[1])
        strategy = TwoTask(batch=batch)
        assert strategy.trees_at_once == batch
        found.append([(tree.tree, tree.value) for tree in strategy.search(problem).trees])
        assert max(sizes) == batch
    assert found[0] == found[1]


def test_the_predicted_time_is_that_of_all_trainings(tmp_path):
    effects_LTT = some_effects(np.random.default_rng(0), 4, 3)
    problem = planted_problem(4, 3, GOAL, tmp_path, PlantedEvaluator(effects_LTT, seconds=2.0))
    predicted = TwoTask().first_steps(problem).seconds
    TwoTask().search(problem)
    taken = [
        request.num_epochs * problem.evaluator.seconds_per_epoch(request.tree) for request in problem.evaluator.asked
    ]
    assert predicted == pytest.approx(
        3 * 2.0 * sum(problem.table.tree_cost(r.tree)["macs"] for r in problem.evaluator.asked)
    )
    assert len(taken) == 19


@pytest.mark.parametrize(("num_tasks", "num_blocks"), [(1, 1), (1, 3), (2, 1)])
def test_small_problems_end(num_tasks, num_blocks, tmp_path):
    problem = planted(tmp_path, num_tasks, num_blocks, goal=Goal(budgets=(1.0,)))
    (tree,) = TwoTask().search(problem).trees
    assert len(tree.tree.tasks) == num_tasks
