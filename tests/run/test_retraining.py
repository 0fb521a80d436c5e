"""Trainings in a run folder: what they learn and start from, and which are the same training."""

import pytest
import safetensors.torch
import torch
from torch import nn
from toys import DEVICE, IN_FEATURES, ToyData, VectorBackbone, VectorHead, assert_same, copied_state, names, toy_tasks

from nas.errors import InputError
from nas.recipe import Experiment, lazy
from nas.run import RunFolder, TreeTraining
from nas.training import TrainingSettings
from nas.training.evaluate import evaluate
from nas.tree import BranchTree
from search_spaces import PlantedBackbone, from_module

TASKS = toy_tasks(3)
TREE = BranchTree.from_choices(names(TASKS), [[0, 0, 0], [0, 0, 1]])


def new_experiment(backbone=VectorBackbone, changes=None, **arguments):
    experiment = Experiment(
        tasks=TASKS,
        backbone=lazy(backbone, num_blocks=2, **arguments),
        data=lazy(ToyData, tasks=TASKS, size=24),
        input_shape=(IN_FEATURES,),
        retrain=TrainingSettings(epochs=1, batch_size=12),
        device="cpu",
        num_threads=1,
    )
    return experiment.with_fields(changes or {})


def training(folder, changes=None, tree=TREE, start="fresh", seed=0, **arguments):
    return TreeTraining(RunFolder(folder), new_experiment(changes=changes, **arguments), tree, seed, start)


def test_teachers_are_the_single_task_references_of_a_comparison(tmp_path):
    data = ToyData(TASKS, size=24)
    taught = training(tmp_path, {"retrain.distill.weight": 0.5, "retrain.aggregate": "pcgrad"}, seed=3)
    references = [training(tmp_path, tree=BranchTree.shared([name], 2), seed=3) for name in names(TASKS)]
    assert [teacher.folder for teacher in taught.teachers()] == [reference.folder for reference in references]
    assert all(teacher.teachers() == [] for teacher in taught.teachers())
    assert training(tmp_path, seed=3).teachers() == []

    references[1].train(data, DEVICE)
    written = (references[1].folder / "result.json").stat().st_mtime_ns
    taught.train(data, DEVICE)
    assert all(reference.finished for reference in references)
    assert (references[1].folder / "result.json").stat().st_mtime_ns == written


def test_learning_from_teachers_is_another_training_and_another_network(tmp_path):
    data = ToyData(TASKS, size=24)
    trainings = [training(tmp_path, changes) for changes in ({}, {"retrain.distill.weight": 0.5})]
    assert trainings[0].folder != trainings[1].folder
    networks = [copied_state(each.trained(data, DEVICE)) for each in trainings]
    assert not torch.equal(networks[0]["heads.t1.linear.weight"], networks[1]["heads.t1.linear.weight"])
    # Deterministic: in another folder, after other work, the same.
    again = training(tmp_path / "other", {"retrain.distill.weight": 0.5}).trained(data, DEVICE)
    assert_same(copied_state(again), networks[1])


def test_what_several_tasks_need_and_logs_do_not_make_another_training(tmp_path):
    options = {"retrain.aggregate": "pcgrad", "retrain.balance": "dwa", "retrain.distill.weight": 1.0}
    single = BranchTree.shared(["t0"], 2)
    assert training(tmp_path, options, single).folder == training(tmp_path, {}, single).folder
    assert training(tmp_path, options).folder != training(tmp_path, {}).folder
    assert training(tmp_path, {"retrain.logs": ["csv"]}).folder == training(tmp_path, {}).folder
    assert training(tmp_path, {"retrain.ema": 0.9}, single).folder != training(tmp_path, {}, single).folder


def test_all_contenders_of_a_comparison_have_the_same_teachers(tmp_path):
    trees = (TREE, BranchTree.shared(names(TASKS), 2), BranchTree.separate(names(TASKS), 2))
    teachers = [
        [teacher.folder for teacher in training(tmp_path, {"retrain.distill.weight": 1.0}, tree).teachers()]
        for tree in trees
    ]
    assert teachers[0] == teachers[1] == teachers[2]
    assert len(teachers[0]) == 3


def test_the_result_is_measured_on_the_average(tmp_path):
    data = ToyData(TASKS, size=24)
    averaged = training(tmp_path, {"retrain.ema": 0.9, "retrain.epochs": 2})
    result = averaged.train(data, DEVICE)
    measured = evaluate(averaged.trained(data, DEVICE), TASKS, data.split("test"), batch_size=12, device=DEVICE)
    assert result.test == measured


def test_what_is_not_installed_is_told_before_the_first_single_task_is_trained(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)
    single = training(tmp_path, {"retrain.aggregate": "pcgrad"}, BranchTree.shared(["t0"], 2))
    with pytest.raises(InputError, match=r"retrain.aggregate=pcgrad needs torchjd"):
        single.train(ToyData(TASKS, size=24), DEVICE)
    assert not single.interrupted


@pytest.mark.parametrize("backbone", [VectorBackbone, PlantedBackbone])
def test_pretrained_weights_have_to_be_there(tmp_path, backbone):
    each = training(tmp_path, start="pretrained", backbone=backbone)
    with pytest.raises(InputError, match=r"has no pretrained weights; name a file \(backbone.weights=FILE\)"):
        each.check()
    with pytest.raises(InputError, match=r"has no pretrained weights"):
        each.train(ToyData(TASKS, size=24), DEVICE)
    assert not each.interrupted


def test_a_cut_module_is_trained_from_its_own_weights(tmp_path):
    module = nn.Sequential(nn.Linear(IN_FEATURES, 6), nn.Linear(6, 6), nn.Linear(6, 6))

    def cut(num_blocks):
        return from_module(
            module, stem="0", blocks=("1", "2")[:num_blocks], head=lambda task: VectorHead(6, task.num_outputs)
        )

    each = training(tmp_path, start="pretrained", backbone=cut)
    each.check()
    network = each._starting_network()
    torch.testing.assert_close(network.blocks[0][0].state_dict()["1.weight"], module[1].weight.data, rtol=0, atol=0)
    assert each.train(ToyData(TASKS, size=24), DEVICE).start == "pretrained"


def test_pretrained_weights_that_are_there_are_trained_from(tmp_path):
    file = tmp_path / "blocks.safetensors"
    backbone = PlantedBackbone(2, input_width=IN_FEATURES)
    blocks = nn.ModuleList(backbone.make_block(l) for l in range(2))
    safetensors.torch.save_file(blocks.state_dict(), file)
    each = training(tmp_path, start="pretrained", backbone=PlantedBackbone, input_width=IN_FEATURES, weights=file)
    assert each.train(ToyData(TASKS, size=24), DEVICE).start == "pretrained"
    assert each.folder.name.startswith("pretrained-0-")
