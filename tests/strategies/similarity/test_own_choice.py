"""What a search by similarity makes of given dissimilarities: a tree for each budget, and its own choice."""

from types import SimpleNamespace

import numpy as np
import pytest
from toys import DEVICE, IN_FEATURES, ToyData, VectorBackbone, names, toy_tasks

from nas.errors import InputError
from nas.recipe import Experiment, lazy
from nas.run import RunFolder, Trial, TrialResult, make_front, recommendation
from nas.run.search_trial import run_trial
from nas.strategies.diagnosis import LEARNED, Diagnosis
from nas.strategies.similarity import Dissimilarity
from nas.tree import BranchTree

TASKS = toy_tasks(3)
SHARED, SEPARATE = (BranchTree.shared(names(TASKS), 2), BranchTree.separate(names(TASKS), 2))
FAMILIES = BranchTree.from_choices(names(TASKS), [[0, 0, 1], [0, 0, 1]])
# In noise floors: two tasks differ by more than chance, and a third one from both by more than the tolerance of 2.25.
ALIKE, UNLIKE = 1.5, 3.0


@pytest.fixture
def search(tmp_path, monkeypatch):
    def found(alike=ALIKE, unlike=UNLIKE, learned=0.5, **changes):
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
        made = SimpleNamespace(history=[], copies=None), measured
        monkeypatch.setattr("nas.strategies.similarity.strategy.train_copies", lambda *_: made)
        shares = {"t0": 0.5, "t1": learned, "t2": 0.9}
        monkeypatch.setattr("nas.strategies.similarity.strategy.learned_shares", lambda *_: shares)
        run = RunFolder(tmp_path / str(len(list(tmp_path.iterdir()))))
        return run, run_trial(experiment, Trial(0, None, 0), run, DEVICE).points

    return found


def verdicts(run, about):
    return [verdict for verdict in Diagnosis.read(run.trial(0).path).verdicts if verdict.about == about]


def trees(run, points):
    return {point.budget: run.find_tree(str(run.path / point.tree)) for point in points}


def test_a_budget_is_spent_and_the_own_choice_parts_what_differs_by_more_than_the_tolerance(search):
    run, points = search(goal__budgets=(1.0,))
    assert trees(run, points) == {1.0: SEPARATE, None: FAMILIES}
    assert make_front(points, "macs").best.budget is None
    (sharing,) = verdicts(run, "sharing")
    assert sharing.text.startswith(f"the search chose tree {FAMILIES.id} (")
    assert make_front(points, "macs").best.tree_id == FAMILIES.id


def test_the_tolerance_is_the_settings(search):
    assert trees(*search(goal__budgets=(1.0,), strategy__tolerance=1.0))[None] == SEPARATE
    assert trees(*search(goal__budgets=(1.0,), strategy__tolerance=4.0))[None] == SHARED


def test_the_own_choice_costs_no_more_than_the_largest_budget(search):
    run, points = search(goal__budgets=(0.6, 0.5))
    found = trees(run, points)
    (sharing,) = verdicts(run, "sharing")
    assert sharing.text.startswith(f"the search chose tree {found[None].id} (")
    assert f"without budgets it would be tree {FAMILIES.id} (" in sharing.text
    assert found[0.5] == SHARED
    assert found[None] == found[0.6]
    assert found[0.6] not in (SHARED, FAMILIES)


def test_without_budgets_there_is_the_own_choice_alone(search):
    assert trees(*search()) == {None: FAMILIES}


def test_where_nothing_exceeds_the_tolerance_the_own_choice_shares_all_and_says_so(search):
    run, points = search(unlike=2.0, goal__budgets=(1.0,))
    assert trees(run, points) == {1.0: SEPARATE, None: SHARED}
    (sharing,) = verdicts(run, "sharing")
    assert sharing.concern
    assert sharing.text.startswith("the search chose the fully shared tree")


@pytest.mark.parametrize("learned", [0.0, -0.3, LEARNED - 1e-6])
def test_where_a_task_has_learned_nothing_no_tree_is_recommended(search, learned):
    run, points = search(learned=learned, goal__budgets=(0.6, 1.0))
    reason = "task t1 has learned nothing: train longer (strategy.epochs)"
    assert {point.withheld for point in points} == {reason}
    assert TrialResult(points=points).best is None
    front = make_front(points, "macs")
    assert front.best is None
    assert recommendation(front) == f"no tree, since {reason}"
    front.write(run.path / "front.json")
    (run.path / "experiment.json").write_text("{}")
    with pytest.raises(InputError, match=r"recommends no tree, since task t1 .*; or name a tree with `tree=TREE`: "):
        run.find_tree(None)
    assert run.find_tree(points[0].tree_id).id == points[0].tree_id
    # What the trees say about sharing would be about chance.
    assert [verdict.text for verdict in Diagnosis.read(run.trial(0).path).verdicts] == [reason]


def test_where_every_task_has_learned_a_little_a_tree_is_recommended(search):
    run, points = search(learned=LEARNED, goal__budgets=(0.6, 1.0))
    assert make_front(points, "macs").best.budget is None
    assert verdicts(run, "learning")[0].text.endswith("at least 3% of its validation loss (t1)")


def test_with_one_copy_there_is_no_floor_and_no_own_choice_beside_budgets(search):
    assert set(trees(*search(goal__budgets=(1.0,), strategy__copies=1))) == {1.0}
