"""MACs of many kinds of layers against counts by hand, and what cannot be counted against its name."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from nas.cost import count_module
from nas.cost.operators import HANDLES
from nas.cost.torch_count import TorchCount, has_arithmetic, uncounted


class Call(nn.Module):
    """A function of inputs and modules."""

    def __init__(self, function, *modules):
        super().__init__()
        self.function = function
        self.inner = nn.ModuleList(modules)

    def forward(self, *inputs):
        return self.function(*self.inner, *inputs)


def count(module, *shapes):
    return count_module(module, tuple(torch.zeros(shape) for shape in shapes))


def first(layer, *arguments):
    return layer(*arguments)[0]


ATTENTION = 4 * 5 * 16 * 16 + 2 * 5 * 5 * 16
"""Of 5 tokens of width 16: four square matrices, and queries by keys and weights by values."""

BY_HAND = {
    "conv": (nn.Conv2d(4, 6, 3, padding=1, groups=2), [(1, 4, 5, 7)], 6 * 35 * 2 * 9),
    "conv, same": (nn.Conv2d(4, 6, 3, padding="same", dilation=2), [(1, 4, 5, 7)], 6 * 35 * 4 * 9),
    "conv, 1-D and strided": (nn.Conv1d(4, 6, 3, stride=2), [(1, 4, 9)], 6 * 4 * 4 * 3),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), [(1, 4, 5, 7)], 4 * 35 * 3 * 9),
    "linear": (nn.Linear(4, 6), [(1, 3, 4)], 3 * 4 * 6),
    "encoder": (nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), [(1, 5, 16)], ATTENTION + 2 * 5 * 16 * 32),
    "attention": (
        Call(lambda layer, x: first(layer, x, x, x), nn.MultiheadAttention(16, 2, batch_first=True)),
        [(1, 5, 16)],
        ATTENTION,
    ),
    "attention without weights": (
        Call(lambda layer, x: layer(x, x, x, need_weights=False)[0], nn.MultiheadAttention(16, 2, batch_first=True)),
        [(1, 5, 16)],
        ATTENTION,
    ),
    "fused attention": (
        Call(functional.scaled_dot_product_attention),
        [(1, 2, 5, 8), (1, 2, 7, 8), (1, 2, 7, 6)],
        2 * 5 * 7 * (8 + 6),
    ),
    "lstm": (Call(first, nn.LSTM(4, 6, 2, batch_first=True)), [(1, 7, 4)], 7 * 4 * 6 * (4 + 6 + 6 + 6)),
    "lstm, projected": (
        Call(first, nn.LSTM(4, 6, batch_first=True, proj_size=3)),
        [(1, 7, 4)],
        7 * (4 * 6 * (4 + 3) + 3 * 6),
    ),
    "gru": (Call(first, nn.GRU(4, 6, bidirectional=True)), [(7, 1, 4)], 7 * 2 * 3 * 6 * (4 + 6)),
    "rnn": (Call(first, nn.RNN(4, 6, batch_first=True, nonlinearity="relu")), [(1, 7, 4)], 7 * 6 * (4 + 6)),
    "packed": (
        Call(
            lambda layer, x: layer(nn.utils.rnn.pack_padded_sequence(x, [5], batch_first=True))[0].data,
            nn.GRU(4, 6, batch_first=True),
        ),
        [(1, 7, 4)],
        5 * 3 * 6 * (4 + 6),
    ),
    "cell": (Call(first, nn.LSTMCell(4, 6)), [(1, 4)], 4 * 6 * (4 + 6)),
    "einsum": (Call(lambda x, y: torch.einsum("bij,bkj->bik", x, y)), [(1, 3, 5), (1, 4, 5)], 3 * 4 * 5),
    "einsum of three": (
        Call(lambda x, y, z: torch.einsum("bij,bjk,bkl->bil", x, y, z)),
        [(1, 2, 3), (1, 3, 4), (1, 4, 5)],
        2 * 3 * 4 + 2 * 4 * 5,
    ),
    "einsum of elements": (Call(lambda x, y: torch.einsum("i,j->ij", x, y)), [(3,), (4,)], 0),
    "large einsum": (
        Call(lambda x, y: torch.einsum("ij,jk->ik", x, y)),
        [(123, 457), (457, 89)],
        123 * 457 * 89,
    ),
    "matmul of vectors": (Call(lambda x, y: x @ y), [(1, 3, 5), (5,)], 3 * 5),
    "broadcast matmul": (Call(lambda x, y: x @ y), [(3, 5), (4, 5, 2)], 4 * 3 * 5 * 2),
    "mv and dot": (Call(lambda x, y: torch.mv(x, y).dot(y[:3])), [(3, 5), (5,)], 3 * 5 + 3),
    "addmv": (Call(torch.addmv), [(3,), (3, 5), (5,)], 3 * 5),
    "baddbmm": (Call(torch.baddbmm), [(2, 3, 4), (2, 3, 5), (2, 5, 4)], 2 * 3 * 5 * 4),
    "addbmm": (Call(torch.addbmm), [(3, 4), (2, 3, 5), (2, 5, 4)], 2 * 3 * 5 * 4),
    "in place": (
        Call(lambda x, y, z: x.clone().addmm_(y, z)),
        [(3, 4), (3, 5), (5, 4)],
        3 * 5 * 4,
    ),
    "inner": (Call(torch.inner), [(3, 5), (4, 5)], 3 * 4 * 5),
    "tensordot": (Call(lambda x, y: torch.tensordot(x, y, dims=([1, 2], [0, 1]))), [(2, 3, 5), (3, 5, 4)], 2 * 15 * 4),
    "multi_dot": (Call(lambda *x: torch.linalg.multi_dot(x)), [(2, 3), (3, 4), (4, 5)], 2 * 3 * 4 + 2 * 4 * 5),
    "chain_matmul": (Call(torch.chain_matmul), [(2, 3), (3, 4)], 2 * 3 * 4),
    # The fifth power is the square's square times the base.
    "matrix_power": (Call(lambda x: torch.linalg.matrix_power(x, 5)), [(2, 3, 3)], 3 * 2 * 27),
    "bilinear": (nn.Bilinear(4, 5, 6), [(1, 4), (1, 5)], 6 * 4 * 5 + 6 * 5),
    "embedding": (Call(lambda layer, x: layer(x.long()), nn.Embedding(9, 4)), [(1, 3)], 0),
    "no products": (
        nn.Sequential(nn.BatchNorm2d(2), nn.Hardswish(), nn.MaxPool2d(2), nn.Softmax(1), nn.Upsample(scale_factor=2)),
        [(1, 2, 4, 4)],
        0,
    ),
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_macs_by_hand(kind):
    module, shapes, macs = BY_HAND[kind]
    cost = count(module, *shapes)
    assert cost.macs == macs
    assert cost.uncounted == frozenset()


def test_every_handle_has_a_count_by_hand_or_is_a_form_of_one_that_has():
    counted = {name for module, shapes, _ in BY_HAND.values() for name in count(module, *shapes).by_operator}
    alike = {"conv": "_convolution_mode", "dot": "vdot", "rnn_relu": "rnn_tanh"}
    alike |= {name: f"{name}_" for name in ("addmv", "addbmm", "baddbmm")}
    counted |= {other for name, other in alike.items() if name in counted}
    assert {name.removeprefix("aten::") for name in HANDLES} <= counted


def test_the_fused_path_is_on_again_afterwards():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    count(layer, (1, 5, 16))
    assert torch.backends.mha.get_fastpath_enabled()


class Squared(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x @ x


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x.sigmoid()


@torch.jit.script
def scripted(x):
    return x @ x


class ComplexLinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 3, dtype=torch.cfloat))

    def forward(self, x):
        return (x + 0j) @ self.weight


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.filter = nn.Sequential(nn.Identity(), Call(lambda x: torch.fft.irfft(torch.fft.rfft(x), n=3)))
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        return self.linear(self.filter(x))


@pytest.mark.parametrize(
    ("module", "found"),
    [
        (Mixer(), {"fft_rfft in Mixer.filter.1", "fft_irfft in Mixer.filter.1"}),
        (nn.Sequential(nn.Linear(3, 3), Call(lambda x: torch.cdist(x, x))), {"cdist in Sequential.1"}),
        (nn.Sequential(nn.Linear(3, 3), Call(torch.linalg.matrix_exp)), {"linalg_matrix_exp in Sequential.1"}),
        (Call(lambda x: (x + 0j) @ (x + 0j)), {"mm of complex numbers in Call"}),
        (Call(Squared.apply), {"Squared in Call"}),
        (Call(lambda x: scripted(x)), {"CallFunction in Call"}),
        (Call(torch.cov), {"cov in Call"}),
        (nn.Sequential(nn.Linear(3, 3), ComplexLinear()), {"mm of complex numbers in Sequential.1"}),
        (Call(Swish.apply), set()),
    ],
)
def test_what_cannot_be_counted_is_named_with_its_module(module, found):
    cost = count(module, (3, 3))
    assert {str(one) for one in cost.uncounted} == found
    assert not {one.operator for one in cost.uncounted} & set(cost.unsupported)


def test_an_operator_of_another_library_is_named():
    with torch.library._scoped_library("nas_test", "FRAGMENT") as library:
        library.define("product(Tensor x) -> Tensor")
        library.impl("product", lambda x: x.sin(), "CPU")
        cost = count(Call(lambda x: torch.ops.nas_test.product(x)), (3, 3))
    assert [str(one) for one in cost.uncounted] == ["nas_test::product in Call"]


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("aten::_fft_r2c", True),
        ("aten::_cdist_forward", True),
        ("aten::_int_mm", True),
        ("aten::linalg_vector_norm", False),
        ("aten::upsample_linear1d", False),
        ("aten::leaky_relu_", False),
        ("aten::rsqrt", False),
        ("aten::native_layer_norm", False),
        ("aten::_softmax", False),
        ("other::anything", True),
    ],
)
def test_arithmetic_is_told_by_the_name(operator, expected):
    assert has_arithmetic(operator) is expected


@pytest.mark.parametrize(
    ("counted", "macs", "found"),
    [
        ({"": 5, "a": 2, "a.b": 2}, {"": 5, "a": 2, "a.b": 2}, set()),
        # The innermost module that differs is named.
        ({"": 5, "a": 2, "a.b": 2}, {"": 6, "a": 3, "a.b": 3}, {"one of add, mystery in Root.a.b"}),
        ({"": 5, "a": 2}, {"": 6, "a": 2}, {"an operator in Root"}),
        # A module that both see under different names is counted once all the same.
        ({"": 5, "a": 5, "b": 0}, {"": 5, "a": 0, "b": 5}, set()),
    ],
)
def test_two_counts_that_differ_are_told(counted, macs, found):
    unsupported = {"a.b": {"aten::add", "aten::mystery"}}
    assert {str(one) for one in uncounted("Root", counted, unsupported, TorchCount(macs, {}, None))} == found
