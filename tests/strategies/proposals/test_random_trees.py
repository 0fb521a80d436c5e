"""Searches that propose trees: what they train and spend, what they find, and that they repeat themselves."""

from dataclasses import replace

import numpy as np
import pytest
from constrained_trees import keeps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planted_sharing import PlantedEvaluator, gains_of, planted_problem, some_effects, task_names

from nas.discretize import Constraints, cheapest_tree
from nas.errors import InputError
from nas.strategies import Evolution, Goal, RandomTrees
from nas.strategies.proposals import Turn
from nas.strategies.proposals.measurements import Measurements
from nas.strategies.proposals.record import read_record
from nas.strategies.transfer.spending import Spending
from nas.tree import BranchTree, enumerate_trees

BUDGETS = (0.55, 0.8)


def planted(folder, goal=Goal(budgets=BUDGETS), num_tasks=4, num_blocks=3, **fields):  # noqa: B008, it does not change
    effects_LTT = some_effects(np.random.default_rng(0), num_tasks, num_blocks)
    return planted_problem(num_tasks, num_blocks, goal, folder, PlantedEvaluator(effects_LTT, **fields))


def share(problem, tree):
    return problem.table.tree_cost(tree)["macs"] / problem.table.separate_cost()["macs"]


def cost_of(problem):
    """What was trained, in full trainings of a tree of the largest budget: counted from the requests alone."""
    trained = problem.evaluator.trained().items()
    return sum(share(problem, tree) / max(problem.goal.budgets) * epochs / 10 for tree, epochs in trained)


def true_gain(problem, tree):
    return float(gains_of(problem.evaluator.effects_LTT, [tree]).mean())


def test_each_budget_gets_the_best_tree_that_was_trained_in_full_and_keeps_it(tmp_path):
    problem = planted(tmp_path)
    found = RandomTrees(trainings=12.0).search(problem)
    full = [tree for tree, epochs in problem.evaluator.trained().items() if epochs == 10]
    assert BranchTree.separate(task_names(4), 3) in full
    assert [tree.budget for tree in found.trees] == [*BUDGETS, None]
    for tree in found.trees:
        best = max(true_gain(problem, each) for each in full if share(problem, each) <= (tree.budget or 0.8))
        # Without noise a measured gain is the true one, up to rounding of losses.
        assert tree.value == pytest.approx(best, abs=1e-6)
        assert tree.value == pytest.approx(true_gain(problem, tree.tree), abs=1e-6)
        assert share(problem, tree.tree) <= (tree.budget or 0.8)
        assert (tree.kind, tree.measure) == ("measured", "mean gain over single tasks, % of loss")


def test_the_finalists_are_the_best_ones_of_the_short_trainings(tmp_path):
    problem = planted(tmp_path)
    RandomTrees(trainings=12.0, finals=2).search(problem)
    trained = problem.evaluator.trained()
    full = {tree for tree, epochs in trained.items() if epochs == 10}
    for budget in BUDGETS:
        within = [tree for tree in trained if share(problem, tree) <= budget]
        assert full >= set(sorted(within, key=lambda tree: -true_gain(problem, tree))[:2])


def test_proposals_cost_nearly_the_budget_whose_turn_it_is_and_the_turns_share_equally(tmp_path):
    problem = planted(tmp_path, num_tasks=6, num_blocks=4)
    RandomTrees(trainings=20.0, finals=0).search(problem)
    costs = [share(problem, request.tree) for request in problem.evaluator.asked][2:]
    turn = sum(cost <= 0.55 for cost in costs)
    assert max(costs[:turn]) <= 0.55
    assert min(costs[turn:]) > 0.8 * (1 - 0.1) - 0.02
    assert max(costs) <= 0.8
    # The last training of a turn may not fit, so a turn may spend one training less.
    assert sum(costs[:turn]) == pytest.approx(sum(costs[turn:]), abs=2 * 0.8)


def test_without_finals_trees_are_compared_after_short_trainings(tmp_path):
    found = RandomTrees(trainings=6.0, finals=0).search(planted(tmp_path))
    assert {tree.measure for tree in found.trees} == {"mean gain over single tasks, % of loss after 3 epochs"}


def test_few_trainings_leave_finals_out(tmp_path):
    problem = planted(tmp_path)
    RandomTrees(trainings=2.5).search(problem)
    assert {request.num_epochs for request in problem.evaluator.asked} == {3}


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    trainings=st.floats(0.1, 12.0),
    length=st.floats(0.05, 1.0),
    batch=st.integers(1, 4),
    finals=st.integers(0, 3),
    budgets=st.lists(st.sampled_from([0.6, 0.75, 0.9, 1.0]), min_size=1, max_size=3, unique=True),
    evolution=st.booleans(),
)
def test_no_more_than_the_trainings_are_spent(trainings, length, batch, finals, budgets, evolution, tmp_path):
    problem = planted(tmp_path, Goal(budgets=budgets), 3, 2, noise=1.0)
    kind = Evolution if evolution else RandomTrees
    strategy = kind(trainings=trainings, length=length, batch=batch, finals=finals)
    if trainings < Spending(strategy, problem).least:
        with pytest.raises(InputError, match="the first four trees"):
            strategy.search(problem)
        assert not problem.evaluator.asked
        return
    found = strategy.search(problem)
    assert cost_of(problem) <= trainings + 1e-6
    assert read_record(problem.store.folder).cost == pytest.approx(cost_of(problem))
    # No training is asked for twice, and each one is short or full.
    assert len(set(problem.evaluator.asked)) == len(problem.evaluator.asked)
    assert {request.num_epochs for request in problem.evaluator.asked} <= {max(1, round(length * 10)), 10}
    for tree in found.trees:
        assert share(problem, tree.tree) <= (tree.budget or max(budgets))


@pytest.mark.parametrize("hours", [0.02, 0.2])
def test_no_more_than_the_hours_are_trained(hours, tmp_path):
    problem = planted(tmp_path, seconds=1.0)
    found = RandomTrees(trainings=50.0, hours=hours).search(problem)
    seconds = sum(problem.evaluator.seconds_per_epoch(tree) * n for tree, n in problem.evaluator.trained().items())
    first = sum(3 * problem.evaluator.seconds_per_epoch(request.tree) for request in problem.evaluator.asked[:2])
    assert seconds <= max(first, hours * 3600.0) + 1e-6
    assert len(found.trees) == 3


def test_a_tree_that_is_known_costs_nothing_and_a_turn_of_known_trees_ends(tmp_path):
    problem = planted(tmp_path)
    measurements = Measurements(RandomTrees(trainings=12.0), problem)
    measurements.begin()
    turn = Turn(measurements, 0.8 * problem.table.separate_cost()["macs"], 12.0, seed=0)
    shared = BranchTree.shared(task_names(4), 3)
    same = BranchTree.shared(tuple(reversed(task_names(4))), 3)
    before = len(problem.evaluator.asked)
    gains = turn.measure([shared, same])
    assert gains[0] == gains[1] == pytest.approx(true_gain(problem, shared), abs=1e-6)
    assert len(problem.evaluator.asked) == before
    new = BranchTree(tuple(task_names(4)), (*shared.partitions[:2], (("t0", "t1"), ("t2", "t3"))))
    assert turn.measure([new, new])[0] == pytest.approx(true_gain(problem, new), abs=1e-6)
    assert len(problem.evaluator.asked) == before + 1
    for _ in range(100):
        assert turn.is_open
        turn.measure([new])
    assert not turn.is_open


def test_a_turn_that_cannot_afford_a_tree_ends_without_its_gain(tmp_path):
    problem = planted(tmp_path)
    measurements = Measurements(RandomTrees(trainings=12.0), problem)
    measurements.begin()
    turn = Turn(measurements, 1.0, measurements.first + 1e-3, seed=0)
    tree = BranchTree(tuple(task_names(4)), ((tuple(task_names(4)),),) * 2 + ((("t0", "t1"), ("t2", "t3")),))
    assert turn.measure([tree]) == [None]
    assert not turn.is_open


@pytest.mark.parametrize("budgets", [(), (0.8,)])
@pytest.mark.parametrize(("num_tasks", "num_blocks"), [(1, 1), (1, 3), (2, 1), (3, 1)])
def test_small_problems_end_with_the_best_tree(num_tasks, num_blocks, budgets, tmp_path):
    goal = Goal(budgets=budgets if num_tasks > 1 else budgets and (1.0,))
    problem = planted(tmp_path, goal, num_tasks, num_blocks)
    found = RandomTrees(trainings=20.0, finals=20).search(problem)
    trees = [
        tree
        for tree in enumerate_trees(task_names(num_tasks), num_blocks)
        if share(problem, tree) <= max(goal.budgets, default=1.0)
    ]
    assert found.trees[-1].value == pytest.approx(max(true_gain(problem, tree) for tree in trees), abs=1e-6)


@pytest.mark.parametrize(
    "constraints",
    [
        {"together": [["t0", "t1"]]},
        {"apart": [["t0", "t2"]]},
        {"shared_prefix": 2},
        {"together": [{"tasks": ["t0", "t1"], "through_block": 0}], "apart": [["t2", "t3"]], "own_cost": {"t2": 0.9}},
    ],
)
@pytest.mark.parametrize("kind", [RandomTrees, Evolution])
def test_all_trained_trees_keep_the_constraints_but_separate_networks(kind, constraints, tmp_path):
    goal = Goal(budgets=(0.8, 0.95), constraints=Constraints(**constraints))
    problem = planted(tmp_path, goal)
    found = kind(trainings=6.0, batch=3).search(problem)
    trained = problem.evaluator.trained()
    assert len(trained) > 3
    for tree in trained.keys() - {BranchTree.separate(task_names(4), 3)}:
        assert keeps(tree, goal.constraints, problem.table)
    for tree in found.trees:
        assert keeps(tree.tree, goal.constraints, problem.table)


def test_cut_gives_the_same_trees_for_the_same_goal_and_others_for_others(tmp_path):
    problem = planted(tmp_path)
    strategy = RandomTrees(trainings=8.0)
    found = strategy.search(problem)
    without = planted_problem(4, 3, problem.goal, tmp_path)
    assert strategy.cut(without) == replace(found, history=())
    apart = {"apart": [{"tasks": ["t0", "t1"], "from_block": 2}]}
    other = strategy.cut(planted_problem(4, 3, Goal(budgets=(0.7,), constraints=apart), tmp_path))
    assert [tree.budget for tree in other.trees] == [0.7, None]
    for tree in other.trees:
        assert share(problem, tree.tree) <= 0.7
        assert not any({"t0", "t1"} <= set(group) for group in tree.tree.partitions[2])


def test_cut_says_if_no_trained_tree_keeps_the_goal_or_nothing_was_measured(tmp_path):
    with pytest.raises(InputError, match=r"proposals\.json"):
        RandomTrees().cut(planted_problem(4, 3, Goal(), tmp_path))
    RandomTrees(trainings=2.5).search(planted(tmp_path))
    tight = Goal(budgets=(0.6,), constraints={"apart": [["t0", "t1", "t2"]], "together": [["t2", "t3"]]})
    cheapest = cheapest_tree(task_names(4), planted(tmp_path).table, "macs", tight.constraints)
    tight = tight.model_copy(update={"budgets": (share(planted(tmp_path), cheapest) + 0.001,)})
    with pytest.raises(InputError, match=r"^budget .*: none of the \d+ trees that the search trained keeps it"):
        RandomTrees().cut(planted_problem(4, 3, tight, tmp_path))
    record = tmp_path / "proposals.json"
    record.write_text(record.read_text().replace('"short_epochs": 3', '"short_epochs": 4'))
    with pytest.raises(InputError, match="no separate networks of 4 epochs"):
        RandomTrees().cut(planted_problem(4, 3, Goal(), tmp_path))


def test_too_few_trainings_and_hours_are_refused(tmp_path):
    problem = planted(tmp_path)
    with pytest.raises(
        InputError, match=r"trainings 0.5: the first four trees cost .* allow .* shorten strategy.length"
    ):
        RandomTrees(trainings=0.5).search(problem)
    assert not problem.evaluator.asked
    problem.evaluator.seconds = 100.0
    full = 0.8 * problem.table.separate_cost()["macs"] * 10 * 100.0
    assert RandomTrees().trainings_within(problem, 7.0 * full / 3600.0) == pytest.approx(7.0)
    assert RandomTrees().first_steps(problem).seconds == pytest.approx(10.0 * full)
    assert RandomTrees(hours=1.0).first_steps(problem).seconds == 3600.0
    with pytest.raises(InputError, match=r"`hours`: 0.01 hours are too little for the first four trees"):
        RandomTrees().trainings_within(problem, 0.01)


def test_the_diagnosis_says_what_was_spent_and_if_nothing_beats_the_cheapest_tree(tmp_path):
    found = RandomTrees(trainings=8.0).search(planted(tmp_path))
    (first, *_) = found.diagnosis.verdicts
    assert not first.concern
    cost = read_record(tmp_path).cost
    assert f"for {cost:.2g} trainings" in first.text
    (margin,) = (record for record in found.diagnosis.margins if record.budget == 0.8)
    assert margin.tree == found.trees[1].tree.id
    assert margin.gap > 0.0
    assert margin.confidence is None
    helpful = PlantedEvaluator(5.0 + 0.0 * some_effects(np.random.default_rng(0), 4, 3))
    (first, *_) = RandomTrees(trainings=8.0).search(replace(planted(tmp_path), evaluator=helpful)).diagnosis.verdicts
    assert first.concern
    assert first.line == "no tree that was trained is better than the cheapest one"
