"""What a search by similarity makes of given dissimilarities: a tree for each budget, and its own choice."""

from types import SimpleNamespace

import numpy as np
import pytest
from toys import DEVICE, IN_FEATURES, ToyData, VectorBackbone, names, toy_tasks

from nas.recipe import Experiment, lazy
from nas.run import RunFolder, Trial, make_front
from nas.run.search_trial import run_trial
from nas.strategies.diagnosis import Diagnosis
from nas.strategies.similarity import Dissimilarity
from nas.tree import BranchTree

TASKS = toy_tasks(3)
SHARED, SEPARATE = (BranchTree.shared(names(TASKS), 2), BranchTree.separate(names(TASKS), 2))
FAMILIES = BranchTree.from_choices(names(TASKS), [[0, 0, 1], [0, 0, 1]])
# In noise floors: two tasks differ by more than chance, and a third one from both by more than the tolerance of 2.25.
ALIKE, UNLIKE = 1.5, 3.0


@pytest.fixture
def search(tmp_path, monkeypatch):
    def found(alike=ALIKE, unlike=UNLIKE, **changes):
        experiment = Experiment(
            tasks=TASKS,
            backbone=lazy(VectorBackbone, num_blocks=2),
            data=lazy(ToyData, tasks=TASKS, size=24),
            input_shape=(IN_FEATURES,),
            device="cpu",
        ).with_fields({name.replace("__", "."): value for name, value in changes.items()})
        d_TT = np.array([[0, alike, unlike], [alike, 0, unlike], [unlike, unlike, 0]])
        floor_TT = np.ones((3, 3)) - np.eye(3)
        measured = Dissimilarity(names(TASKS), "r2 of features", np.stack([d_TT] * 2), np.stack([floor_TT] * 2))
        monkeypatch.setattr(
            "nas.strategies.similarity.train_copies", lambda *_: (SimpleNamespace(history=[]), measured)
        )
        run = RunFolder(tmp_path / str(len(list(tmp_path.iterdir()))))
        return run, run_trial(experiment, Trial(0, None, 0), run, DEVICE).points

    return found


def trees(run, points):
    return {point.budget: run.find_tree(str(run.path / point.tree)) for point in points}


def test_a_budget_is_spent_and_the_own_choice_parts_what_differs_by_more_than_the_tolerance(search):
    run, points = search(goal__budgets=(1.0,))
    assert trees(run, points) == {1.0: SEPARATE, None: FAMILIES}
    assert make_front(points, "macs").best.budget is None
    sharing = [verdict for verdict in Diagnosis.read(run.trial(0).path).verdicts if verdict.about == "sharing"]
    assert [FAMILIES.id in verdict.text for verdict in sharing] == [True]


def test_the_tolerance_is_the_settings(search):
    assert trees(*search(goal__budgets=(1.0,), strategy__tolerance=1.0))[None] == SEPARATE
    assert trees(*search(goal__budgets=(1.0,), strategy__tolerance=4.0))[None] == SHARED


def test_the_own_choice_costs_no_more_than_the_largest_budget(search):
    found = trees(*search(goal__budgets=(0.6, 0.5)))
    assert found[0.5] == SHARED
    assert found[None] == found[0.6]
    assert found[0.6] not in (SHARED, FAMILIES)


def test_without_budgets_there_is_the_own_choice_alone(search):
    assert trees(*search()) == {None: FAMILIES}


def test_where_nothing_exceeds_the_tolerance_the_own_choice_shares_all_and_says_so(search):
    run, points = search(unlike=2.0, goal__budgets=(1.0,))
    assert trees(run, points) == {1.0: SEPARATE, None: SHARED}
    assert any(verdict.about == "sharing" and verdict.concern for verdict in Diagnosis.read(run.trial(0).path).verdicts)


def test_with_one_copy_there_is_no_floor_and_no_own_choice_beside_budgets(search):
    assert set(trees(*search(goal__budgets=(1.0,), strategy__copies=1))) == {1.0}
