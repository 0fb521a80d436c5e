"""A frozen prefix: a constant function, whatever trains the rest."""

from pathlib import Path

import pytest
import torch
from small_digits import RECIPE
from torch import nn
from toys import IN_FEATURES, ToyData, VectorBackbone, copied_state, names, seeded, toy_tasks

import nas
from nas.engine.checkpoint import CheckpointFolder
from nas.networks.backbone import Backbone, FrozenPrefix
from nas.networks.backbone.frozen import freeze
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import Supernet
from nas.recipe import load_recipe
from nas.run import measure_parts
from nas.run.parts import build_network
from nas.strategies.gradient import BilevelSearch
from nas.training import Retraining, TrainingState, estimate_batch_statistics
from nas.tree import BranchTree, CostTable

TASKS = toy_tasks(2)
DEVICE = torch.device("cpu")


class Pretrained(VectorBackbone):
    """The same weights in every module of one kind, as a file of weights gives them."""

    def make_stem(self):
        return seeded(super().make_stem, 1)

    def make_block(self, l):
        return seeded(lambda: super(Pretrained, self).make_block(l), 2 + l)


def prefix(network):
    """Everything below the first trained block."""
    state = copied_state(network)
    return {key: value for key, value in state.items() if key.startswith(("stem.", "blocks.0."))}


def assert_equal(before, after):
    assert list(before) == list(after)
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_frozen_module_is_the_module_in_evaluation_mode():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False), nn.Dropout(0.5), nn.Conv2d(4, 2, 1))
    module(torch.randn(8, 3, 6, 6))  # statistics that are not those of the start
    inputs = torch.randn(2, 3, 6, 6, requires_grad=True)
    expected = module.eval()(inputs)
    frozen = freeze(module)
    frozen.train()
    assert torch.equal(frozen(inputs), expected)
    assert list(frozen.parameters()) == []
    frozen(inputs).sum().backward()
    assert inputs.grad.abs().sum() > 0
    assert not any(part.training for part in frozen.modules())


def test_it_is_a_backbone_and_lets_other_members_through():
    backbone = FrozenPrefix(VectorBackbone(num_blocks=3, width=7), 2)
    assert isinstance(backbone, Backbone)
    assert (backbone.num_blocks, backbone.taps, backbone.width) == (3, (0, 2), 7)
    trained = [len(list(backbone.make_block(l).parameters())) for l in range(3)]
    assert trained[:2] == [0, 0]
    assert trained[2] > 0
    with pytest.raises(AttributeError):
        backbone.weights_report  # noqa: B018


@pytest.mark.parametrize("routing", ["soft", "hard"])
def test_a_search_leaves_the_prefix_as_it_is(routing, tmp_path):
    table = CostTable({"macs": 1}, ({"macs": 2},) * 3, {name: {"macs": 1} for name in names(TASKS)}, ("a", "b", "c"))
    fields = {"epochs": 2, "batch_size": 16, "routing": routing}
    search = BilevelSearch(TASKS, ToyData(TASKS), table, nas.Gradient(**fields), budgets=(0.9,), seed=0, device=DEVICE)
    supernet = seeded(lambda: Supernet(FrozenPrefix(Pretrained(), 1), TASKS))
    before, all_before = prefix(supernet), copied_state(supernet)
    search.run(search.start(supernet), CheckpointFolder(tmp_path), lambda _: None)
    assert len(before) > 10
    assert_equal(before, prefix(supernet))
    changed = [key for key, value in copied_state(supernet).items() if not torch.equal(value, all_before[key])]
    assert any(key.startswith("blocks.1.") for key in changed)


def test_a_training_leaves_the_prefix_as_it_is(tmp_path):
    settings = nas.TrainingSettings(epochs=2, batch_size=16, ema=0.9, clip_norm=1.0, shared_lr="divided")
    tree = BranchTree.from_choices(names(TASKS), [[0, 0], [0, 1], [0, 1]])
    network = seeded(lambda: BranchedNetwork(FrozenPrefix(Pretrained(), 1), TASKS, tree))
    before = prefix(network)
    data = ToyData(TASKS)
    state = TrainingState.start(network, settings)
    Retraining(TASKS, data, settings, seed=0, device=DEVICE).run(state, CheckpointFolder(tmp_path), lambda _: None)
    assert_equal(before, prefix(network))
    assert_equal(before, prefix(state.result))
    estimate_batch_statistics(network, data.split("train"), batch_size=16, num_batches=2, device=DEVICE, seed=0)
    assert_equal(before, prefix(network))
    assert torch.isfinite(network(torch.randn(4, IN_FEATURES))["t0"]).all()


def test_an_experiment_freezes_what_its_constraints_share_and_its_costs_stay():
    experiment = load_recipe(Path(RECIPE))
    frozen = experiment.with_fields({"goal.constraints.shared_prefix": 2, "goal.constraints.frozen_prefix": True})
    assert measure_parts(frozen).table == measure_parts(experiment).table
    tree = BranchTree.shared(experiment.task_names, len(measure_parts(frozen).table.blocks))
    network = build_network(frozen, tree, seed=0)
    trained = {name.split(".")[1] for name, _ in network.named_parameters() if name.startswith("blocks.")}
    assert trained == {str(l) for l in range(2, len(tree.blocks))}
    assert not list(network.stem.parameters())
    with pytest.raises(nas.InputError, match="frozen_prefix freezes the shared prefix"):
        experiment.with_fields({"goal.constraints.frozen_prefix": True})
