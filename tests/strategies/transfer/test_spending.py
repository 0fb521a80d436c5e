"""A measured search spends no more trainings and hours than it may, and refuses too few before it begins."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planted_sharing import PlantedEvaluator, planted_problem, some_effects, task_names

from nas.discretize import Apart, Constraints, Together, cheapest_tree
from nas.errors import InputError
from nas.strategies import Goal, Similarity, Transfer
from nas.strategies.evaluator import Request
from nas.strategies.names import strategy_named
from nas.strategies.similarity import SimilaritySettings
from nas.strategies.transfer.spending import Spending
from nas.tree import BranchTree

EFFECTS = some_effects(np.random.default_rng(0), 3, 2)


def problem(folder, goal=Goal(budgets=(0.7, 0.9)), **fields):  # noqa: B008, it does not change
    return planted_problem(3, 2, goal, folder, PlantedEvaluator(EFFECTS, noise=1.0, **fields))


def cost_of(problem):
    """What was trained, in full trainings of a tree of the largest budget: counted from the requests alone."""
    largest = max(problem.goal.budgets) * problem.table.separate_cost()["macs"]
    return sum(
        problem.table.tree_cost(tree)["macs"] / largest * epochs / problem.evaluator.num_epochs
        for tree, epochs in problem.evaluator.trained().items()
    )


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    trainings=st.floats(0.1, 12.0),
    length=st.floats(0.05, 1.0),
    batch=st.integers(1, 4),
    finals=st.integers(0, 3),
    budgets=st.lists(st.sampled_from([0.6, 0.75, 0.9, 1.0]), min_size=1, max_size=3, unique=True),
)
def test_no_more_than_the_trainings_are_spent(trainings, length, batch, finals, budgets, tmp_path):
    its = problem(tmp_path, Goal(budgets=budgets))
    strategy = Transfer(trainings=trainings, length=length, batch=batch, finals=finals, start=None, chance=0.0)
    spending = Spending(strategy, its)
    if trainings < spending.least:
        with pytest.raises(InputError, match="allow"):
            strategy.search(its)
        assert not its.evaluator.asked
        return
    strategy.search(its)
    assert cost_of(its) <= trainings + 1e-6
    assert {tree.num_groups for tree in its.evaluator.trained()} >= {(1, 1), (3, 3)}
    # No training is asked for twice, and each one is short or full.
    assert len(set(its.evaluator.asked)) == len(its.evaluator.asked)
    assert {request.num_epochs for request in its.evaluator.asked} <= {max(1, round(length * 10)), 10}


@pytest.mark.parametrize("batch", [1, 3])
def test_no_more_than_the_hours_are_trained(batch, tmp_path):
    """An evaluator whose trainings take as long as they cost, 400 s for the tree of separate networks."""
    trained = []
    for hours in (0.2, 0.4):
        effects_LTT = some_effects(np.random.default_rng(0), 4, 2)
        its = planted_problem(4, 2, Goal(budgets=(0.8,)), tmp_path, PlantedEvaluator(effects_LTT, noise=1.0))
        its.evaluator.seconds = 40.0 / its.table.tree_cost(BranchTree.separate(task_names(4), 2))["macs"]
        Transfer(trainings=100.0, hours=hours, batch=batch, start=None, chance=0.0, margin=1e-9).search(its)
        each = its.evaluator.seconds_per_epoch
        seconds = sum(epochs * each(tree) for tree, epochs in its.evaluator.trained().items())
        assert seconds <= 3600.0 * hours
        trained.append(len(its.evaluator.trained()))
    # Four trees take 400 s or less; twice the time is used, too.
    assert 4 <= trained[0] < trained[1]


def test_own_copies_count(tmp_path):
    start = SimilaritySettings(copies=3, epochs=5)
    spending = Spending(Transfer(start=start), problem(tmp_path))
    # Half of the length; blocks and heads of separate networks cost 18, their one stem 1, the largest budget 18.9.
    assert spending.copies == pytest.approx(0.5 * (1.0 + 3 * 18.0) / 18.9)
    assert spending.spent([]) == spending.copies
    assert Spending(Transfer(start=None), problem(tmp_path)).copies == 0.0


def test_of_one_tree_the_longest_training_counts(tmp_path):
    its = problem(tmp_path)
    spending = Spending(Transfer(start=None, trainings=1.0), its)
    separate = BranchTree.separate(task_names(3), 2)
    done = its.evaluator.train([Request(separate, 3), Request(separate, 5)])
    share = its.table.tree_cost(separate)["macs"] / (0.9 * its.table.separate_cost()["macs"])
    assert share == pytest.approx(1.0053, abs=1e-4)
    assert spending.spent(done) == pytest.approx(0.5 * share)
    # The beginning is paid for.
    assert spending.affordable(done, [Request(separate, 9)], last=True) == [Request(separate, 9)]
    assert spending.affordable(done, [Request(separate, 10)], last=True) == []
    assert spending.affordable([], [Request(separate, 9)] * 2, last=True) == [Request(separate, 9)]
    # Kept for the end: a full training of a tree that has been trained for a tenth, if it is half of what is left.
    least = Spending(Transfer(start=None, length=0.1), its).least
    full = [Request(separate, 10)] * 2
    for trainings, kept in ((least + 1.81, full[:1]), (2.0 * share, full)):
        few = Spending(Transfer(start=None, length=0.1, trainings=trainings), its)
        assert few.affordable([], full, last=False) == kept
        assert few.affordable([], full, last=True) == full


def test_hours_are_predicted_from_the_trainings_before(tmp_path):
    its = problem(tmp_path, seconds=1.0)
    separate, shared = BranchTree.separate(task_names(3), 2), BranchTree.shared(task_names(3), 2)
    done = its.evaluator.train([Request(separate, 2)])
    each = its.evaluator.seconds_per_epoch
    enough = 2 * each(separate) + 3 * each(shared)
    for seconds, expected in ((enough + 0.01, [Request(shared, 3)]), (enough - 0.01, [])):
        strategy = Transfer(start=None, hours=seconds / 3600.0)
        assert Spending(strategy, its).affordable(done, [Request(shared, 3)], last=True) == expected


def test_too_few_trainings_are_refused_with_the_number_that_suffices(tmp_path):
    its = problem(tmp_path)
    with pytest.raises(InputError, match=r"strategy.trainings 0.1: .* allow 1.1 or more") as refused:
        Transfer(trainings=0.1, start=None).check_problem(its)
    assert "\n" not in str(refused.value)
    Transfer(trainings=1.1, start=None).check_problem(its)
    found = Transfer(trainings=1.1, start=None).search(its)
    assert cost_of(its) <= 1.1
    assert len(its.evaluator.trained()) >= 4
    assert [tree.budget for tree in found.trees] == [0.7, 0.9, None]


def test_the_reserve_leaves_the_first_trees(tmp_path):
    spending = Spending(Transfer(start=None, finals=5), problem(tmp_path))
    # Half of what the first trees leave goes to full trainings, which cost 0.7 more each.
    for rest, reserve in ((-1.0, 0.0), (1.39, 0.0), (1.41, 0.7), (2.79, 0.7), (2.81, 1.4)):
        assert spending.reserve(spending.least + rest) == pytest.approx(reserve)
    # All finals: five for each of two budgets, from 0.3 to the full length.
    assert spending.reserve(100.0) == pytest.approx(7.0)
    assert Spending(Transfer(finals=0, start=None), problem(tmp_path)).reserve(100.0) == 0.0


def test_the_ends_are_separate_networks_and_the_cheapest_allowed_tree(tmp_path):
    names = task_names(3)
    free = Spending(Transfer(), problem(tmp_path))
    assert free.ends == [BranchTree.separate(names, 2), BranchTree.shared(names, 2)]
    constraints = Constraints(apart=(Apart(tasks=("t0", "t1")),), together=(Together(tasks=("t1", "t2")),))
    its = problem(tmp_path, Goal(budgets=(0.9,), constraints=constraints))
    separate, cheapest = Spending(Transfer(), its).ends
    assert separate == free.ends[0]
    assert cheapest == cheapest_tree(names, its.table, "macs", constraints)


def test_a_tolerance_that_nothing_reads_is_refused():
    with pytest.raises(ValueError, match=r"only start\.patience reads it"):
        Transfer(start=SimilaritySettings(tolerance=1.0))
    assert Transfer(start=SimilaritySettings(tolerance=1.0, patience=2)).start.tolerance == 1.0


def test_a_measured_search_by_name_starts_with_the_recipes_similarity_but_for_what_it_does_not_read():
    own = {"similarity": Similarity(epochs=7, tolerance=1.0)}
    assert strategy_named("transfer", own).start == SimilaritySettings(epochs=7)


@pytest.mark.parametrize("start", [None, SimilaritySettings(epochs=5)])
def test_teachers_count(start, tmp_path):
    its, alone = problem(tmp_path), Spending(Transfer(start=start), problem(tmp_path))
    its.evaluator.distils = True
    spending = Spending(Transfer(start=start), its)
    # Three networks with all blocks in full: a stem, blocks and a head cost 1 + 3 + 2 + 1, the largest budget 18.9.
    assert spending.teachers == pytest.approx(3 * 7.0 / 18.9)
    assert spending.before == pytest.approx(alone.copies + spending.teachers)
    done = its.evaluator.train([Request(tree, 3) for tree in spending.ends])
    assert spending.spent([]) == alone.spent([])
    assert spending.spent(done) == pytest.approx(alone.spent(done) + spending.teachers)
    # Half of what is left pays for two finals of .7 each without teachers, and for fewer with them.
    left = spending.before + spending.least + 2.0
    assert (spending.reserve(left), alone.reserve(left)) == pytest.approx((0.7, 1.4))


def test_too_few_trainings_for_the_teachers_are_refused(tmp_path):
    its = problem(tmp_path)
    its.evaluator.distils = True
    with pytest.raises(
        InputError, match=r"the teachers of distillation cost 1.1 and the first four trees cost \S+ train"
    ):
        Transfer(trainings=1.2, start=None).search(its)
    assert not its.evaluator.asked
