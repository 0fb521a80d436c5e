"""The grouping strategy on planted effects: what it trains, and that its groups are the best ones."""

import numpy as np
import pytest
from planted_sharing import PlantedEvaluator, gains_of, planted_problem, some_effects, task_names

from nas.errors import InputError
from nas.strategies import Goal
from nas.strategies.affinity import AffinityRecord, Grouping
from nas.strategies.protocol import check_problem
from nas.tree import BranchTree, set_partitions

GOAL = Goal(budgets=(0.55, 0.8, 1.0))


def planted(folder, num_tasks=4, num_blocks=3, seed=0, goal=GOAL):
    effects_LTT = some_effects(np.random.default_rng(seed), num_tasks, num_blocks)
    return planted_problem(num_tasks, num_blocks, goal, folder, PlantedEvaluator(effects_LTT))


def groupings(num_tasks, num_blocks):
    """Every tree that branches at the root only."""
    for partition in set_partitions(num_tasks):
        row = [next(i for i, group in enumerate(partition) if t in group) for t in range(num_tasks)]
        yield BranchTree.from_choices(task_names(num_tasks), [row] * num_blocks)


@pytest.mark.parametrize("seed", range(3))
def test_the_groups_are_the_best_by_the_mean_gains_of_pairs(seed, tmp_path):
    problem = planted(tmp_path, seed=seed)
    found = Grouping().search(problem)
    # In a group of two the other task has half of the weight that the effects state.
    pair_TT = problem.evaluator.effects_LTT.sum(0).numpy() / 2.0
    np.testing.assert_allclose(np.sum(AffinityRecord.read(problem.store).affinity_LTT, axis=0), pair_TT, atol=1e-9)

    def score(tree):
        total = 0.0
        for group in tree.partitions[0]:
            members = [task_names(4).index(task) for task in group]
            total += sum(np.mean([pair_TT[t, s] for s in members if s != t]) for t in members if len(members) > 1)
        return total / 4

    for tree in found.trees:
        limit = tree.budget * problem.table.separate_cost()["macs"]
        fitting = [each for each in groupings(4, 3) if problem.table.tree_cost(each)["macs"] <= limit]
        # HiGHS compares gains to about 1e-7 of their size.
        assert tree.value == pytest.approx(max(map(score, fitting)), rel=1e-5)
        assert score(tree.tree) == pytest.approx(tree.value)


def test_groups_of_two_reach_what_is_predicted(tmp_path):
    problem = planted(tmp_path)
    for tree in Grouping().search(problem).trees:
        if max(len(group) for group in tree.tree.partitions[0]) == 2:
            assert gains_of(problem.evaluator.effects_LTT, [tree.tree]).mean().item() == pytest.approx(tree.value)


def test_the_separate_tree_and_all_pairs_are_trained_once(tmp_path):
    problem = planted(tmp_path)
    found = Grouping(length=0.3).search(problem)
    asked = [request.tree for request in problem.evaluator.asked]
    assert asked[0] == BranchTree.separate(task_names(4), 3)
    assert len(set(asked)) == len(asked) == 1 + 6
    assert {tree.num_groups for tree in asked[1:]} == {(1, 1, 1)}
    assert len(found.history) == Grouping().num_epochs == 2


def test_too_many_tasks_are_refused_before_the_search(tmp_path):
    with pytest.raises(InputError, match="strategy grouping: groupings are found for at most 12 tasks; found 13"):
        check_problem(Grouping(), planted(tmp_path, num_tasks=13, num_blocks=1))
