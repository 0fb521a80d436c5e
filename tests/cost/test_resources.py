"""The table of resources: activations as a bound of the peak, and a resource of one's own from recipe to front."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_digits import RECIPE, changes, refused
from torch import nn
from toys import IN_FEATURES, VectorBackbone, names, toy_tasks
from tree_strategies import trees

from nas import Goal
from nas.cli.main import run
from nas.cost import RESOURCES, Resource, count_module, expected_cost, measure_costs
from nas.cost.peak import peak_bytes
from nas.cost.resources import decimal_units
from nas.datasets.digits import digit_tasks
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import one_hot_routing
from nas.tree import BranchTree
from search_spaces import DigitsBackbone, MobileNetV2

FLOAT = 4


def activation(module, *inputs):
    return count_module(module, inputs, "activation").amounts["activation"]


def test_the_activations_of_layers_by_hand():
    x = torch.zeros(1, 3)
    wide, narrow = nn.Linear(3, 7), nn.Linear(7, 2)
    assert activation(wide, x) == 7 * FLOAT
    # A ReLU in place allocates nothing, and one that is not has its input and its output at once.
    assert activation(nn.Sequential(wide, nn.ReLU(inplace=True)), x) == 7 * FLOAT
    assert activation(nn.Sequential(wide, nn.ReLU()), x) == 14 * FLOAT
    # The widest moment counts: 7 numbers in, 2 out. What came before has been freed.
    assert activation(nn.Sequential(wide, nn.ReLU(inplace=True), narrow, nn.Flatten()), x) == 9 * FLOAT
    assert activation(nn.Identity(), x) == 0


DIGITS = DigitsBackbone((4, 4, 6), strided=(2,))
VECTORS = VectorBackbone(3)
SPACES = [
    (DIGITS, digit_tasks()[:4], (1, 9, 11)),
    (VECTORS, toy_tasks(4), (IN_FEATURES,)),
]


@settings(deadline=None, max_examples=12)
@given(st.data())
@pytest.mark.parametrize(("backbone", "tasks", "shape"), SPACES)
def test_activations_of_a_tree_are_those_of_its_networks_parts_and_bound_the_peak(backbone, tasks, shape, data):
    tree = data.draw(trees(tasks=names(tasks), num_blocks=3))
    table = measure_costs(backbone, tasks, shape, "activation").table
    predicted = table.tree_cost(tree)["activation"]
    routing_LTC = one_hot_routing(torch.tensor(tree.choices_LT), len(tasks))
    assert expected_cost(routing_LTC, table, "activation").item() == predicted
    network = BranchedNetwork(backbone, tasks, tree).eval()
    assert sum(peaks_of_parts(network, torch.zeros(1, *shape))) == predicted
    inputs = torch.zeros(1, *shape)
    assert 0 < peak_bytes(lambda: network(inputs)) <= predicted


def test_the_bound_holds_for_a_large_network():
    tasks, shape = digit_tasks()[:2], (3, 64, 64)
    backbone = MobileNetV2(width=0.25)
    table = measure_costs(backbone, tasks, shape, "activation").table
    inputs = torch.zeros(1, *shape)
    for tree in (
        BranchTree.shared(names(tasks), backbone.num_blocks),
        BranchTree.separate(names(tasks), backbone.num_blocks),
    ):
        network = BranchedNetwork(backbone, tasks, tree).eval()
        assert 0 < peak_bytes(lambda network=network: network(inputs)) <= table.tree_cost(tree)["activation"]


def peaks_of_parts(network, inputs):
    """The peak of every part at the inputs that it has in the network."""
    given = {}
    parts = [network.stem, *(part for instances in network.blocks for part in instances), *network.heads.values()]
    handles = [part.register_forward_pre_hook(lambda part, args: given.__setitem__(part, args)) for part in parts]
    with torch.no_grad():
        network(inputs)
    for handle in handles:
        handle.remove()
    return [peak_bytes(lambda part=part: part(*given[part])) for part in parts]


def test_an_unknown_resource_is_refused_with_the_known_ones(capsys, tmp_path):
    line = refused(capsys, "search", RECIPE, "--out", tmp_path / "run", *changes(goal__resource="joules"))
    assert "there is no resource 'joules'; resources are macs, params, ms, activation" in line


def search(capsys, folder, resource):
    arguments = changes(goal__resource=resource, goal__budgets=[0.5])
    assert run(["search", RECIPE, "--out", str(folder), *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_search_keeps_a_budget_of_activations(tmp_path, capsys):
    front = search(capsys, tmp_path / "run", "activation")
    costs = json.loads((tmp_path / "run" / "trials" / "0" / "costs.json").read_text())
    assert list(costs["stem"]) == ["macs", "params", "activation"]
    separate = 6 * (costs["stem"]["activation"] + sum(block["activation"] for block in costs["blocks"]))
    separate += sum(head["activation"] for head in costs["heads"].values())
    assert front["resource"] == "activation"
    assert all(0 < point["cost"]["activation"] <= separate / 2 for point in front["points"])
    assert run(["show", str(tmp_path / "run")]) == 0
    assert "KiB" in capsys.readouterr().out
    assert run(["profile", RECIPE, *changes(goal__resource="activation")]) == 0
    assert "activation " in capsys.readouterr().out


def test_cost_tables_have_activations_only_if_they_are_wanted():
    table = measure_costs(VECTORS, toy_tasks(2), (IN_FEATURES,)).table
    assert table.resources == ("macs", "params")


def test_a_resource_is_one_object_in_the_table(tmp_path, capsys, monkeypatch):
    """From here on a search counts it, keeps a budget in it, and writes it in its unit."""
    layers = Resource("layers", "layers", decimal_units("layers"), lambda part: len(list(part.module.modules())))
    monkeypatch.setitem(RESOURCES, layers.name, layers)

    assert Goal(resource="layers").resource == "layers"
    front = search(capsys, tmp_path / "run", "layers")
    costs = json.loads((tmp_path / "run" / "trials" / "0" / "costs.json").read_text())
    assert list(costs["stem"]) == ["macs", "params", "layers"]
    assert all(point["cost"]["layers"] > 0 for point in front["points"])
    assert run(["show", str(tmp_path / "run"), "--out", str(tmp_path / "tree.dot")]) == 0
    assert " layers" in capsys.readouterr().out
