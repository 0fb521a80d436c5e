import onnx
import onnxruntime
import pytest
import torch
from deployed import describe, export_graph, exportable
from onnx import TensorProto, helper
from torch import nn

from nas.cost import count_module
from nas.deploy.onnx_file import load_onnx, to_model
from nas.deploy.onnx_macs import count_macs, uncounted
from nas.deploy.program import trace
from nas.errors import InputError
from nas.networks.branched import BranchedNetwork
from nas.tasks import Task
from nas.tree import BranchTree
from search_spaces import DigitsBackbone


def test_tasks_may_be_called_like_what_is_in_the_graph():
    """The graph has values cat, relu, inputs and outputs of its own."""
    names = ("cat", "relu", "inputs", "batch")
    tasks = [Task(name=name, num_outputs=2, loss="mse", metrics=("mae",)) for name in names]
    backbone = DigitsBackbone(widths=(2, 3), strided=(1,), dense_tasks=names)
    network = BranchedNetwork(backbone, tasks, BranchTree.shared(names, 2)).eval()
    inputs = torch.randn(2, 1, 6, 8, generator=torch.Generator().manual_seed(0))
    described = describe(network, tasks, inputs, None, "onnx")
    data, _ = export_graph(exportable(network, described), inputs, "samples", described)
    run, _ = load_onnx(data, "x.onnx")
    with torch.no_grad():
        for found, expected in zip(run(inputs), network(inputs).values(), strict=True):
            # Small numbers through five layers of float32.
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    model = onnx.load_model_from_string(data)
    shape = [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == ["batch", 1, "height", "width"]
    assert [output.name for output in model.graph.output] == list(names)


class OneTensor(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


class Einsum(nn.Module):
    def forward(self, x):
        return torch.einsum("bij,bkj->bik", x, x)


class Fourier(nn.Module):
    def forward(self, x):
        return torch.fft.irfft(torch.fft.rfft(x), n=4)


def graph_of(node, input_shape, weight_shape):
    weight = TensorProto(name="w", dims=weight_shape, data_type=TensorProto.FLOAT)
    weight.raw_data = bytes(4 * int(torch.tensor(weight_shape).prod()))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *input_shape])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    return helper.make_model(helper.make_graph([node], "g", inputs, outputs, [weight]))


@pytest.mark.parametrize(
    ("node", "input_shape", "weight_shape", "macs"),
    [
        # 8 outputs of 5 x 7, each from 2 of 4 channels and 3 x 3 pixels.
        (helper.make_node("Conv", ["x", "w"], ["y"], group=2, pads=[1] * 4), (4, 5, 7), (8, 2, 3, 3), 8 * 35 * 2 * 9),
        # 4 inputs of 5 x 7, each into 6 channels and 2 x 2 pixels.
        (helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2]), (4, 5, 7), (4, 6, 2, 2), 140 * 24),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), (3, 5), (5, 7), 3 * 5 * 7),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transB=1), (5,), (7, 5), 5 * 7),
        (helper.make_node("Gemm", ["w", "x"], ["y"], transA=1, transB=1), (3,), (3, 4), 3 * 4),
        (helper.make_node("Mul", ["x", "w"], ["y"]), (5,), (5,), 0),
    ],
)
def test_macs_by_hand(node, input_shape, weight_shape, macs):
    counted = count_macs(graph_of(node, input_shape, weight_shape), input_shape)
    assert counted == ({node.op_type: macs} if macs else {})


def to_onnx(module, inputs):
    return to_model(trace(module.eval(), inputs, dynamic_size=False), ["y"], dynamic_size=False)


@pytest.mark.parametrize(
    ("module", "input_shape", "operators"),
    [
        (OneTensor(nn.GRU(4, 6, 2, batch_first=True, bidirectional=True)), (7, 4), {"GRU"}),
        # The sizes behind each layer are computed in the graph.
        (nn.Sequential(OneTensor(nn.LSTM(4, 6, 3, batch_first=True)), nn.Linear(6, 2)), (7, 4), {"LSTM", "MatMul"}),
        (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (5, 8), {"MatMul", "Gemm"}),
        (Einsum(), (3, 5), {"Einsum"}),
    ],
)
def test_a_graph_has_the_macs_of_its_module(module, input_shape, operators):
    counted = count_macs(to_onnx(module, torch.zeros(2, *input_shape)), input_shape)
    assert set(counted) == operators
    assert sum(counted.values()) == count_module(module, (torch.zeros(1, *input_shape),)).macs


def test_operators_whose_macs_are_not_counted_are_named():
    model = to_onnx(Fourier(), torch.zeros(2, 3, 4))
    assert (count_macs(model, (3, 4)), uncounted(model)) == ({}, ["DFT"])
    model.graph.node.append(helper.make_node("Product", ["x"], ["z"], domain="mine"))
    assert uncounted(model) == ["DFT", "mine.Product"]


def test_sizes_that_only_the_run_tells_are_named():
    nodes = [
        helper.make_node("NonZero", ["x"], ["found"]),
        helper.make_node("Cast", ["found"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["w", "cast"], ["y"]),
    ]
    model = graph_of(nodes[0], (3,), (2, 2))
    model.graph.node.extend(nodes[1:])
    with pytest.raises(InputError, match="only known when the ONNX model runs"):
        count_macs(model, (3,))


class Attention(nn.Module):
    """Attention with a mask of the given shape."""

    def __init__(self, *shape):
        super().__init__()
        mask = torch.randn(shape, generator=torch.Generator().manual_seed(1)) > 0
        self.register_buffer("mask", mask | torch.eye(shape[-1], dtype=torch.bool))

    def forward(self, x):
        return nn.functional.scaled_dot_product_attention(x, x * 2, x + 1, attn_mask=self.mask, scale=0.7)


@pytest.mark.parametrize(
    ("shape", "mask"),
    [((3, 5, 4), (5, 5)), ((3, 5, 4), (1, 5, 5)), ((3, 2, 5, 4), (5, 5)), ((3, 2, 2, 5, 4), (2, 1, 5, 5))],
)
def test_attention_of_any_dimensions_gives_the_same_in_onnxruntime(shape, mask):
    module, inputs = Attention(*mask).eval(), torch.randn(shape, generator=torch.Generator().manual_seed(0))
    model = to_model(trace(module, inputs, dynamic_size=False), ["y"], dynamic_size=False)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["y"], {"inputs": inputs.numpy()})
    # One softmax and two products of float32.
    torch.testing.assert_close(torch.from_numpy(found), module(inputs), rtol=1e-5, atol=1e-6)
