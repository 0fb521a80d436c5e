import logging

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toys import IN_FEATURES, VectorBackbone, names, toy_tasks
from tree_strategies import trees

from nas.cost import count_module, expected_cost, measure_costs
from nas.cost.activation import activation_bytes
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import one_hot_routing
from nas.tasks import Task
from nas.tree import BranchTree
from search_spaces import MLP, DigitsBackbone, ViT

DIGIT_TASKS = (
    Task(name="left", num_outputs=10, loss="cross_entropy", metrics=("accuracy",)),
    Task(name="sum", num_outputs=19, loss="cross_entropy", metrics=("accuracy",)),
    Task(name="restore", num_outputs=1, loss="mse", metrics=("rmse",)),
)
DIGITS = DigitsBackbone((4, 4, 6), strided=(2,))
VECTORS = VectorBackbone(3)
TABLE = MLP(7, width=6, depth=3, residual=True)
TOKENS = ViT(image_size=(8, 12), patch_size=4, width=8, depth=3, num_heads=2)
TOKEN_TASKS = (
    Task(name="depth", num_outputs=1, loss="l1", metrics=("rmse",), dense=True),
    Task(name="scene", num_outputs=4, loss="cross_entropy", metrics=("accuracy",), dense=False),
    Task(name="edge", num_outputs=2, loss="l1", metrics=("rmse",), dense=True),
)
PROFILES = {
    DIGITS: measure_costs(DIGITS, DIGIT_TASKS, (1, 9, 11)),
    VECTORS: measure_costs(VECTORS, toy_tasks(4), (IN_FEATURES,)),
    TABLE: measure_costs(TABLE, toy_tasks(3), (7,)),
    TOKENS: measure_costs(TOKENS, TOKEN_TASKS, (3, 8, 12)),
}


class OutputsAsTuple(nn.Module):
    """A network as tracing wants it."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, inputs):
        return tuple(self.network(inputs).values())


@settings(deadline=None, max_examples=12)
@given(st.data())
@pytest.mark.parametrize(
    ("backbone", "tasks"),
    [(DIGITS, DIGIT_TASKS), (VECTORS, toy_tasks(4)), (TABLE, toy_tasks(3)), (TOKENS, TOKEN_TASKS)],
)
def test_the_sum_over_a_trees_parts_is_the_count_of_its_network(backbone, tasks, data):
    tree = data.draw(trees(tasks=names(tasks), num_blocks=3))
    profile = PROFILES[backbone]
    network = BranchedNetwork(backbone, tasks, tree)
    counted = count_module(OutputsAsTuple(network), (torch.zeros(1, *profile.input_shape),))
    assert profile.table.tree_cost(tree) == {"macs": counted.macs, "params": counted.params}


@settings(deadline=None, max_examples=12)
@given(st.data())
def test_the_expected_cost_at_one_hot_routing_is_the_count_of_the_network(data):
    """In a random space: what the search's loss sees is what the built network costs, to the last unit."""
    widths = tuple(data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=4)))
    backbone = DigitsBackbone(widths, strided=tuple(data.draw(st.sets(st.integers(1, len(widths) - 1)))))
    row = st.lists(st.integers(0, 3), min_size=3, max_size=3)
    choices_LT = data.draw(st.lists(row, min_size=len(widths), max_size=len(widths)))
    profile = measure_costs(backbone, DIGIT_TASKS, (1, 10, 12))
    network = BranchedNetwork(backbone, DIGIT_TASKS, BranchTree.from_choices(names(DIGIT_TASKS), choices_LT))
    counted = count_module(OutputsAsTuple(network), (torch.zeros(1, *profile.input_shape),))
    routing_LTC = one_hot_routing(choices_LT, 4)
    assert expected_cost(routing_LTC, profile.table, "macs").item() == counted.macs
    assert expected_cost(routing_LTC, profile.table, "params").item() == counted.params


def test_macs_are_multiply_adds():
    layer = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, groups=1), nn.Flatten(), nn.Linear(8 * 4 * 5, 7))
    cost = count_module(layer, (torch.zeros(1, 3, 4, 5),))
    assert cost.by_operator == {"conv": 8 * 20 * 27, "linear": 160 * 7}
    assert cost.macs == 8 * 20 * 27 + 160 * 7
    assert cost.params == 8 * 27 + 8 + 160 * 7 + 7


def test_norms_are_counted_apart():
    cost = count_module(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), (torch.zeros(1, 3),))
    assert cost.macs == 12
    assert cost.by_operator["batch_norm"] > 0


class MatrixProducts(nn.Module):
    def forward(self, x):
        squares = torch.bmm(x, x.transpose(1, 2)) @ x
        return torch.einsum("bij,bkj->bik", squares, x).cumsum(dim=1)


def test_matrix_products_count_and_what_cannot_be_counted_is_reported(caplog, capfd):
    cost = count_module(MatrixProducts(), (torch.zeros(1, 3, 5),))
    assert cost.macs == 3 * (3 * 5 * 3)
    assert cost.unsupported == {"cumsum": 1}
    # It is in the result, not in a log.
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


class OddBackbone(VectorBackbone):
    def make_block(self, l):
        return nn.Sequential(super().make_block(l), nn.Hardswish())


def test_unsupported_operators_of_all_parts_are_summed():
    profile = measure_costs(OddBackbone(3), toy_tasks(2), (IN_FEATURES,))
    assert profile.unsupported == {"hardswish": 3}
    assert PROFILES[VECTORS].unsupported == {}


def test_a_table_has_a_row_a_part():
    table = PROFILES[DIGITS].table
    assert table.block_names == ("block0", "block1", "block2")
    assert list(table.heads) == ["left", "sum", "restore"]
    assert all(type(amount) is int for part in (table.stem, *table.blocks) for amount in part.values())


def test_measuring_changes_nothing_around_it():
    level = logging.getLogger("fvcore.nn.jit_analysis").level
    state, grad = torch.get_rng_state(), torch.is_grad_enabled()
    measure_costs(DIGITS, DIGIT_TASKS, (1, 9, 11))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled() == grad
    assert logging.getLogger("fvcore.nn.jit_analysis").level == level


class Failing(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x):
        raise RuntimeError("no")


@pytest.mark.parametrize("module", [nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)), Failing()])
def test_a_measured_module_keeps_its_modes_and_its_state(module):
    module.train()
    frozen = next(part for part in module.modules() if isinstance(part, nn.BatchNorm1d)).eval()
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    try:
        count_module(module, (torch.ones(1, 3),))
    except RuntimeError:
        assert isinstance(module, Failing)
    assert [part for part in module.modules() if not part.training] == [frozen]
    torch.testing.assert_close(module.state_dict(), state, rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_activation_bytes_by_hand():
    first, second = nn.Linear(3, 5), nn.Linear(5, 2)
    # The weight's gradient needs the input, 3 floats; the parameters themselves do not count.
    assert activation_bytes(first, (torch.zeros(1, 3),)) == 12
    # ReLU keeps its output, 5 floats, which is the second layer's input as well and counts once.
    assert activation_bytes(nn.Sequential(first, nn.ReLU(), second), (torch.zeros(1, 3),)) == 12 + 20
    # A sigmoid keeps its output; in between, a norm keeps its input: 5 and 5 and the first layer's 3.
    block = nn.Sequential(first, nn.BatchNorm1d(5), nn.Sigmoid()).eval()
    assert activation_bytes(block, (torch.zeros(1, 3),)) == 12 + 20 + 20


def test_activation_bytes_grow_with_the_batch():
    layer = nn.Sequential(nn.Linear(3, 5), nn.ReLU())
    assert activation_bytes(layer, (torch.zeros(7, 3),)) == 7 * activation_bytes(layer, (torch.zeros(1, 3),))


def test_activation_bytes_leave_no_gradients_and_need_none_enabled():
    layer, inputs = nn.Sequential(nn.Linear(3, 5), nn.ReLU()), torch.zeros(1, 3)
    with torch.no_grad():
        assert activation_bytes(layer, (inputs,)) == 32
    assert not inputs.requires_grad
    assert all(parameter.grad is None for parameter in layer.parameters())
