"""What holds for all strategies of `nas.strategies.affinity`: fields, goals, repetition, resuming, cutting, pooling."""

import numpy as np
import pytest
import torch
from affinity_toys import BUDGETS, TABLE, TASKS, facts, toy_problem
from toys import VectorBackbone, assert_same, names

from nas.discretize import keeps_constraints, value_of
from nas.discretize.grouping import gains_by_pairs
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.errors import InputError
from nas.strategies import STRATEGIES, Goal, Store
from nas.strategies.affinity import (
    AffinityRecord,
    BottomUp,
    GradientAffinity,
    Grouping,
    Lookahead,
    TwoTask,
    what_to_share,
)
from nas.strategies.protocol import check_goal, check_problem, first_steps, num_epochs

SGD = OptimizerSettings(kind="sgd", lr=0.3)
SHARED = {"epochs": 3, "batch_size": 16, "every": 2}

QUICK = {
    "two_task": TwoTask(length=0.2),
    "grouping": Grouping(length=0.2),
    "gradient_affinity": GradientAffinity(**SHARED),
    "lookahead": Lookahead(**SHARED),
    "bottom_up": BottomUp(epochs=3, warmup=1, batch_size=16, num_rows=64),
}
OF_SHARED_NETWORK = {
    "epochs": 4,
    "batch_size": 8,
    "splits": ("train",),
    "weights": SGD,
    "schedule": ScheduleSettings(kind="constant"),
    "every": 1,
}
CHANGES = {
    "two_task": {"length": 0.4, "stages": 1},
    "grouping": {"length": 0.4},
    "gradient_affinity": OF_SHARED_NETWORK,
    "lookahead": {**OF_SHARED_NETWORK, "rate": 0.5},
    "bottom_up": {
        "epochs": 4,
        "warmup": 0,
        "batch_size": 8,
        "splits": ("train",),
        "weights": SGD,
        "schedule": ScheduleSettings(kind="constant"),
        "num_rows": 16,
    },
}
"""By strategy and field, a value that gives other numbers than the one above."""

RESULT_DOES_NOT_DEPEND = {("two_task", "batch"), ("grouping", "batch")}

EACH = pytest.mark.parametrize("name", QUICK)


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """By name, the problem of a finished search and what it found."""
    found = {}
    for name, strategy in QUICK.items():
        problem = toy_problem(tmp_path_factory.mktemp(name))
        found[name] = (problem, strategy.search(problem))
    return found


@EACH
def test_every_field_changes_what_is_found(name, searched, tmp_path):
    strategy, (_, before) = QUICK[name], searched[name]
    fields = {field for strategy, field in RESULT_DOES_NOT_DEPEND if strategy == name}
    assert fields | CHANGES[name].keys() == type(strategy).model_fields.keys()
    for field, value in CHANGES[name].items():
        changed = type(strategy)(**{**dict(strategy), field: value})
        assert facts(changed.search(toy_problem(tmp_path / field))) != facts(before), field


@EACH
def test_a_search_repeats_itself_and_depends_on_nothing_around_it(name, searched, tmp_path):
    _, before = searched[name]
    torch.manual_seed(1234)
    state = torch.get_rng_state()
    again = QUICK[name].search(toy_problem(tmp_path))
    assert facts(again) == facts(before)
    assert list(again.history) == list(before.history)
    assert torch.equal(torch.get_rng_state(), state)


@EACH
def test_a_search_that_is_stopped_anywhere_ends_the_same(name, searched, tmp_path):
    problem, whole = searched[name]
    for last in range(len(whole.history) - 1):
        folder = tmp_path / str(last)

        def stop(history, last=last):
            if len(history) == last + 1:
                raise Interrupted

        with pytest.raises(Interrupted):
            QUICK[name].search(toy_problem(folder, on_epoch=stop))
        seen = []
        resumed = QUICK[name].search(toy_problem(folder, on_epoch=lambda history, seen=seen: seen.append(len(history))))
        assert facts(resumed) == facts(whole)
        assert list(resumed.history) == list(whole.history)
        if name not in ("two_task", "grouping"):
            # No epoch is trained again; the evaluator of two-task networks is asked again, and only reads.
            assert seen == list(range(last + 2, len(whole.history) + 1))
            assert_same(Store(folder).checkpoints.latest(), problem.store.checkpoints.latest())


@EACH
@pytest.mark.parametrize(
    "goal",
    [
        Goal(budgets=(0.5, 0.8)),
        Goal(budgets=(0.9,), resource="params"),
        Goal(budgets=(0.7, 0.9), constraints={"apart": [{"tasks": ["t0", "t1"], "from_block": 1}]}),
        Goal(budgets=(0.9,), constraints={"apart": [["t0", "t1"]], "own_cost": {"t2": 0.6}}),
        Goal(budgets=(0.9,), constraints={"together": [["t0", "t2"]], "shared_prefix": 1}),
    ],
    ids=["budgets", "resource", "apart", "own_cost", "together"],
)
def test_every_part_of_a_goal_is_kept(name, goal, tmp_path):
    found = QUICK[name].search(toy_problem(tmp_path, goal))
    assert [tree.budget for tree in found.trees] == list(goal.budgets)
    for tree in found.trees:
        assert set(tree.tree.tasks) == set(names(TASKS))
        limit = tree.budget * TABLE.separate_cost()[goal.resource]
        assert TABLE.tree_cost(tree.tree)[goal.resource] <= limit
        assert keeps_constraints(tree.tree, goal.constraints, TABLE, goal.resource)


@EACH
def test_without_budgets_a_tree_is_found_or_the_goal_is_refused(name, tmp_path):
    if name == "bottom_up":
        with pytest.raises(
            ValueError, match=r"strategy BottomUp merges blocks until budgets are met; set goal.budgets"
        ):
            check_goal(QUICK[name], Goal())
    else:
        check_goal(QUICK[name], Goal())
        (tree,) = QUICK[name].search(toy_problem(tmp_path, Goal())).trees
        assert tree.budget is None


@EACH
def test_a_finished_search_is_cut_without_training(name, searched, tmp_path, monkeypatch):
    problem, found = searched[name]
    monkeypatch.setattr(torch.Tensor, "backward", None)
    before = len(problem.evaluator.asked)
    cut = QUICK[name].cut(problem)
    assert cut.trees == found.trees
    other = toy_problem(tmp_path, Goal(budgets=(0.7,)))
    (tree,) = QUICK[name].cut(type(problem)(**{**vars(problem), "goal": other.goal})).trees
    assert TABLE.tree_cost(tree.tree)["macs"] <= 0.7 * TABLE.separate_cost()["macs"]
    assert len(problem.evaluator.asked) == before
    with pytest.raises(InputError, match=r"(affinity|merging)\.json"):
        QUICK[name].cut(other)


@EACH
def test_records_of_other_tasks_are_refused(name, searched, tmp_path):
    problem, _ = searched[name]
    fewer = type(problem)(**{**vars(problem), "tasks": TASKS[:2]})
    with pytest.raises(InputError, match=r"has the tasks \['t0', 't1', 't2'\], not \['t0', 't1'\]"):
        QUICK[name].cut(fewer)


@pytest.mark.parametrize("name", [name for name in QUICK if name != "bottom_up"])
def test_searches_of_several_seeds_are_pooled(name, searched, tmp_path):
    problem, alone = searched[name]
    stores = [problem.store]
    for seed in (1, 2):
        stores.append(toy_problem(tmp_path / str(seed), seed=seed).store)
        QUICK[name].search(toy_problem(tmp_path / str(seed), seed=seed))
    strategy = QUICK[name]
    assert [tree.tree for tree in strategy.pool(stores[:1], TABLE, BUDGETS).trees] == [
        tree.tree for tree in alone.trees
    ]
    pooled = strategy.pool(stores, TABLE, BUDGETS)
    assert all(tree.std is not None for tree in pooled.trees)
    if name == "grouping":
        # A group's weight is 1 / (|G| - 1), and its gain is linear in those of the pairs.
        gains = [np.sum(AffinityRecord.read(store).affinity_LTT, axis=0) for store in stores]
        for tree in pooled.trees:
            groups_GT = np.array([[task in group for task in names(TASKS)] for group in tree.tree.partitions[0]])
            each = [gains_by_pairs(groups_GT, gain_TT).sum() / len(TASKS) for gain_TT in gains]
            assert tree.value == pytest.approx(np.mean(each))
            assert tree.std == pytest.approx(np.std(each, ddof=1) / np.sqrt(3))
    else:
        mean_LTT = np.mean([AffinityRecord.read(store).unlike_LTT for store in stores], axis=0)
        for tree in pooled.trees:
            assert tree.value == pytest.approx(-value_of(tree.tree, mean_LTT))
    other = toy_problem(tmp_path / "other", backbone=VectorBackbone(3))
    strategy.search(other)
    with pytest.raises(InputError, match="several seeds must have the same tasks, blocks and measure"):
        strategy.pool([problem.store, other.store], TABLE, BUDGETS)


@EACH
def test_the_history_has_as_many_records_as_are_announced(name, searched):
    _, found = searched[name]
    announced = num_epochs(QUICK[name])
    assert len(found.history) == (3 if name == "two_task" else announced)
    assert len(found.history) <= announced
    assert [record["epoch"] for record in found.history] == list(range(len(found.history)))


@EACH
def test_the_diagnosis_tells_the_cost(name, searched):
    _, found = searched[name]
    verdicts = [verdict.text for verdict in found.diagnosis.verdicts]
    if found.withheld is None:
        assert any("trainings of a tree that costs the largest budget" in text for text in verdicts)
    else:
        assert verdicts == [found.withheld]
        assert "learned nothing" in found.withheld


@EACH
def test_first_steps_change_nothing(name, searched, tmp_path):
    problem = toy_problem(tmp_path)
    check_problem(QUICK[name], problem)
    steps = first_steps(QUICK[name], problem)
    assert steps.seconds > 0.0
    assert steps.losses.keys() == (set() if name in ("two_task", "grouping") else set(names(TASKS)))
    assert list(tmp_path.iterdir()) == []
    assert facts(QUICK[name].search(problem)) == facts(searched[name][1])


def test_all_have_names():
    assert {name: type(STRATEGIES[name]()) for name in QUICK} == {name: type(each) for name, each in QUICK.items()}
    assert STRATEGIES["what_to_share"]() == what_to_share()
    assert (what_to_share().measure, what_to_share().copies) == ("rdm", 1)
    assert what_to_share(epochs=3, measure="cka").measure == "cka"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TwoTask(length=0.0), "length"),
        (lambda: TwoTask(epochs=3), "epochs"),
        (lambda: GradientAffinity(batch_size=3), "batch_size"),
        (lambda: GradientAffinity(rate=1.0), "rate"),
        (lambda: Lookahead(rate=0.0), "rate"),
        (lambda: BottomUp(epochs=5, warmup=5), "warmup 5 leaves none of 5 epochs for merges"),
    ],
)
def test_wrong_settings_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
