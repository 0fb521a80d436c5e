"""The evaluator of a run: short trainings are beginnings of the full ones, and no epoch is trained twice."""

import json

import pytest
import torch
from toys import DEVICE, IN_FEATURES, ToyData, VectorBackbone, assert_same, copied_state, names, toy_tasks

from nas.engine.checkpoint import load_tensors
from nas.errors import InputError
from nas.recipe import Experiment, lazy
from nas.run import RunFolder, TreeTraining
from nas.run.evaluator import RunEvaluator
from nas.run.trial_plan import Trial
from nas.strategies.evaluator import Request
from nas.training import Retraining, TrainingSettings
from nas.tree import BranchTree

TASKS = toy_tasks(3)
DATA = ToyData(TASKS, size=24)
TREE = BranchTree.from_choices(names(TASKS), [[0, 0, 0], [0, 0, 1]])
EXPERIMENT = Experiment(
    tasks=TASKS,
    backbone=lazy(VectorBackbone, num_blocks=2),
    data=lazy(ToyData, tasks=TASKS, size=24),
    input_shape=(IN_FEATURES,),
    retrain=TrainingSettings(epochs=4, batch_size=12),
    device="cpu",
    num_threads=1,
)


def evaluator(folder, trial=None, experiment=EXPERIMENT):
    run = RunFolder(folder)
    place = None if trial is None else run.trial(trial).path / "trainings"
    return RunEvaluator(run, experiment, DATA, DEVICE, place)


def test_a_short_training_is_the_beginning_of_the_full_one(tmp_path, epochs):
    its = evaluator(tmp_path, trial=0)
    (short,) = its.train([Request(TREE, 2)])
    assert len(short.validation) == 2
    assert short.seconds > 0.0
    assert its.has(Request(TREE, 2))
    assert not its.has(Request(TREE, 3))
    assert its.train([Request(TREE, 2)]) == [short]
    (full,) = its.train([Request(TREE, 4)])
    assert full.validation[:2] == short.validation
    assert full.seconds > short.seconds
    assert epochs == [(TREE.id, epoch) for epoch in range(4)]
    # What a search that is started again asks first is what it was.
    assert evaluator(tmp_path, trial=0).train([Request(TREE, 2), Request(TREE, 4)]) == [short, full]
    assert len(epochs) == 4
    (whole,) = evaluator(tmp_path / "other").train([Request(TREE, 4)])
    assert whole.validation == full.validation


def test_retraining_continues_from_the_search_and_equals_a_training_from_scratch(tmp_path, epochs):
    evaluator(tmp_path, trial=0).train([Request(TREE, 1)])
    evaluator(tmp_path, trial=1).train([Request(TREE, 3)])
    continued = TreeTraining(RunFolder(tmp_path), EXPERIMENT, TREE, 0, "fresh")
    assert not continued.interrupted
    before = len(epochs)
    result = continued.train(DATA, DEVICE)
    # From the longest of the two.
    assert epochs[before:] == [(TREE.id, 3)]
    scratch = TreeTraining(RunFolder(tmp_path / "scratch"), EXPERIMENT, TREE, 0, "fresh")
    assert scratch.train(DATA, DEVICE) == result
    assert_same(copied_state(continued.trained(DATA, DEVICE)), copied_state(scratch.trained(DATA, DEVICE)))
    assert (continued.folder / "metrics.jsonl").read_bytes() == (scratch.folder / "metrics.jsonl").read_bytes()
    last = [load_tensors(each.checkpoints.path(4)) for each in (continued, scratch)]
    assert_same(*last)
    # Another seed is another training.
    assert TreeTraining(RunFolder(tmp_path), EXPERIMENT, TREE, 1, "fresh").validation() == []


def test_what_the_run_has_of_a_training_is_not_trained_again(tmp_path, epochs):
    evaluator(tmp_path, trial=0).train([Request(TREE, 3)])
    (found,) = evaluator(tmp_path, trial=1).train([Request(TREE, 2)])
    assert len(found.validation) == 2
    retrained = TreeTraining(RunFolder(tmp_path), EXPERIMENT, BranchTree.shared(names(TASKS), 2), 0, "fresh")
    retrained.train(DATA, DEVICE)
    before = len(epochs)
    (found,) = evaluator(tmp_path, trial=1).train([Request(retrained.tree, 2)])
    assert found.validation == retrained.validation()[:2]
    assert len(epochs) == before == 7


def test_unfinished_files_are_not_adopted(tmp_path):
    first, second = evaluator(tmp_path, trial=0), evaluator(tmp_path, trial=1)
    first.train([Request(TREE, 1)])
    (first.training(TREE).folder / ".0123456789abcdef.tmp").write_text("half")
    second.train([Request(TREE, 1)])
    assert not list(second.training(TREE).folder.rglob("*.tmp"))


def test_a_trial_trains_its_own_backbone_though_another_found_the_tree(tmp_path):
    """Trials of one run may have backbones of different widths."""
    run = RunFolder(tmp_path)
    run.trial(0).make()
    run.trial(0).write_setting(Trial(0, None, 0, {"backbone.width": 3}))
    run.trial(0).write_tree(TREE)
    wide = EXPERIMENT.with_fields({"backbone.width": 8})
    training = evaluator(tmp_path, trial=1, experiment=wide).training(TREE)
    assert training.experiment.backbone == wide.backbone
    narrow = TreeTraining(run, EXPERIMENT, TREE, 0, "fresh")
    assert narrow.folder.name != training.folder.name


def test_teachers_of_a_trial_are_trained_in_its_folder(tmp_path):
    taught = EXPERIMENT.with_fields({"retrain.distill.weight": 0.5, "retrain.epochs": 1})
    its = evaluator(tmp_path, trial=0, experiment=taught)
    its.train([Request(TREE, 1)])
    assert not (tmp_path / "retrained").exists()
    assert all(teacher.finished for teacher in its.training(TREE).teachers())


def test_an_interrupted_short_training_ends_the_same(tmp_path, monkeypatch):
    its, train = evaluator(tmp_path, trial=0), Retraining.train_epoch

    def stop(self, state, epoch):
        if epoch == 1:
            raise KeyboardInterrupt
        return train(self, state, epoch)

    monkeypatch.setattr(Retraining, "train_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        its.train([Request(TREE, 3)])
    assert its.training(TREE).interrupted
    monkeypatch.undo()
    (continued,) = its.train([Request(TREE, 3)])
    (whole,) = evaluator(tmp_path / "whole").train([Request(TREE, 3)])
    assert continued.validation == whole.validation
    assert not its.training(TREE).interrupted


def test_lost_and_damaged_times(tmp_path):
    its = evaluator(tmp_path, trial=0)
    (found,) = its.train([Request(TREE, 1)])
    path = its.training(TREE).folder / "seconds.json"
    assert json.loads(path.read_text()) == {"by_epochs": {"1": found.seconds}}
    path.unlink()
    (again,) = its.train([Request(TREE, 1)])
    assert again.validation == found.validation
    assert path.is_file()
    path.write_text('{"by_epochs": {"1": "long"}}')
    with pytest.raises(InputError, match=r"seconds\.json"):
        its.train([Request(TREE, 1)])


def test_a_damaged_record_is_named(tmp_path):
    its = evaluator(tmp_path, trial=0)
    its.train([Request(TREE, 1)])
    path = its.training(TREE).folder / "metrics.jsonl"
    record = json.loads(path.read_text())
    del record["validation"]["tasks"]["t1"]
    for text in (json.dumps(record) + "\n", "{\n", "[]\n"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"metrics\.jsonl: not the record of this training"):
            its.train([Request(TREE, 1)])


def test_the_time_of_an_epoch_is_measured_without_a_trace(tmp_path):
    its = evaluator(tmp_path)
    state = torch.get_rng_state()
    assert 0.0 < its.seconds_per_epoch(TREE) < 60.0
    assert torch.equal(torch.get_rng_state(), state)
    assert list(tmp_path.iterdir()) == []
    assert its.num_epochs == 4
