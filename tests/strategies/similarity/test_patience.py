"""A search with patience stops at an epoch that its history decides, and is otherwise the search without."""

import pytest
import torch
from toys import DEVICE, IN_FEATURES, ToyData, VectorBackbone, assert_same, toy_tasks

from nas.cost import measure_costs
from nas.engine.checkpoint import CheckpointFolder
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.strategies import Goal, Problem, Similarity, Store
from nas.strategies.similarity import CopyTraining, SimilaritySettings

TASKS = toy_tasks(3)
BACKBONE = VectorBackbone(2)
TABLE = measure_costs(BACKBONE, TASKS, (IN_FEATURES,)).table
# A dropping rate, to show that stopping does not change the schedule.
SETTINGS = {
    "epochs": 12,
    "batch_size": 16,
    "num_rows": 64,
    "candidates": "plain",
    "weights": OptimizerSettings(kind="adam", lr=1e-2),
    "schedule": ScheduleSettings(kind="cosine"),
}


class Interrupted(Exception):
    pass


def searched(folder, stop_after=None, **changes):
    """A search; it is interrupted after an epoch if ``stop_after`` says so."""

    def on_epoch(history):
        if len(history) == stop_after:
            raise Interrupted

    data = ToyData(TASKS, size=128)
    goal = Goal(budgets=(0.6, 0.8))
    store = Store(folder)
    problem = Problem(TASKS, BACKBONE, data, TABLE, goal, seed=0, device=DEVICE, store=store, on_epoch=on_epoch)
    return Similarity(**{**SETTINGS, **changes}).search(problem)


def plain(found):
    trees = [(tree.tree.partitions, tree.budget, tree.value) for tree in found.trees]
    return trees, list(found.history), found.diagnosis.model_dump(), found.withheld


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patient")
    return folder, searched(folder, patience=2)


def test_it_stops_when_its_trees_are_the_same_and_says_when(patient):
    _, found = patient
    assert 2 <= len(found.history) < SETTINGS["epochs"], "choose other data: this search does not settle"
    *_, before, last = [record["trees"] for record in found.history]
    assert before == last
    assert len(last) == len(found.trees) == 3
    (verdict,) = (verdict for verdict in found.diagnosis.verdicts if verdict.about == "stability")
    assert f"trained for {len(found.history)} of 12 epochs" in verdict.text
    assert set(found.history[-1]["learned"]) == {"t0", "t1", "t2"}


def test_until_then_it_is_the_search_without_patience(patient, tmp_path):
    folder, found = patient
    whole = searched(tmp_path)
    ours = [{name: record[name] for name in ("epoch", "phase", "weights")} for record in found.history]
    assert ours == list(whole.history)[: len(ours)]
    with pytest.raises(Interrupted):
        searched(tmp_path / "cut", stop_after=len(ours))
    cut, stopped = (CheckpointFolder(path / "checkpoint").latest() for path in (tmp_path / "cut", folder))
    assert_same({**stopped, "history": ours}, cut)


@pytest.mark.parametrize("back", [1, 2, 0])
def test_a_resumed_search_stops_at_the_same_epoch(patient, tmp_path, back):
    _, found = patient
    # Interrupted before its last epochs, or after the last one and before its trees are found.
    with pytest.raises(Interrupted):
        searched(tmp_path, stop_after=len(found.history) - back, patience=2)
    torch.manual_seed(99)
    assert plain(searched(tmp_path, patience=2)) == plain(found)


def test_without_an_end_in_sight_it_trains_to_the_last_epoch(tmp_path):
    found = searched(tmp_path, patience=12, epochs=3)
    assert len(found.history) == 3
    (verdict,) = (verdict for verdict in found.diagnosis.verdicts if verdict.about == "stability")
    assert verdict.concern


def test_trees_that_stay_do_not_stop_copies_that_have_not_learned(tmp_path):
    settings = SimilaritySettings(**{**SETTINGS, "epochs": 5, "patience": 2})
    shares = iter([0.0, 0.0, 0.0, 0.5, 0.5])
    training = CopyTraining(TASKS, ToyData(TASKS), settings, seed=0, device=DEVICE)
    state = training.start(BACKBONE)
    look = lambda copies: {"trees": ["same"], "learned": {"t0": next(shares)}}  # noqa: E731
    training.run(state, CheckpointFolder(tmp_path), lambda record: None, look)
    assert [record["learned"]["t0"] for record in state.history] == [0.0, 0.0, 0.0, 0.5]
