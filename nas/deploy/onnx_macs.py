"""Count multiply-adds of an ONNX graph from its shapes, to verify the predictions of the cost table."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from types import ModuleType
from typing import Any

import numpy as np

from nas.cost import einsum_macs
from nas.deploy.onnx_file import require_onnx
from nas.errors import InputError, in_one_line

Shape = tuple[int, ...]

UNCOUNTED = frozenset(
    {"Attention", "ConvInteger", "DFT", "DeformConv", "Det", "If", "Loop", "MatMulInteger", "QLinearConv"}
    | {"QLinearMatMul", "STFT", "Scan"}
)
"""Operators that `count_macs` cannot count although they have arithmetic, or a graph inside."""


def count_macs(model: Any, input_shape: Sequence[int]) -> dict[str, int]:
    """MACs of one sample in convolutions and products of matrices, by ONNX's name of the operator.

    ==================== ================================================================
    Conv                 outputs x (input channels / groups) x kernel
    ConvTranspose        inputs x (output channels / groups) x kernel
    Gemm, MatMul         outputs x inner dimension
    Einsum               multiplied in pairs, as `nas.cost` counts it
    LSTM, GRU, RNN       time steps x elements of every weight matrix
    ==================== ================================================================

    Args:
        model: an ONNX model of one input.
        input_shape: of one sample.

    Raises:
        InputError: a size that is needed is not known before the model runs.
    """
    shapes = _shapes(model, input_shape)
    total: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type in _COUNTS and node.domain in _STANDARD:
            total[node.op_type] = total.get(node.op_type, 0) + _COUNTS[node.op_type](node, shapes)
    return total


def uncounted(model: Any) -> list[str]:
    """The names of a model's operators that `count_macs` cannot count: `UNCOUNTED`, and other libraries'."""
    found = {
        node.op_type if node.domain in _STANDARD else f"{node.domain}.{node.op_type}"
        for node in model.graph.node
        if node.domain not in _STANDARD or node.op_type in UNCOUNTED
    }
    return sorted(found)


_STANDARD = ("", "ai.onnx")


def _product(node: Any, shapes: Mapping[str, Shape]) -> int:
    transposed = any(item.name == "transA" and item.i for item in node.attribute)
    return _size(shapes, node.output[0]) * _shape(shapes, node.input[0])[0 if transposed else -1]


def _einsum(node: Any, shapes: Mapping[str, Shape]) -> int:
    (equation,) = (item.s.decode() for item in node.attribute if item.name == "equation")
    return einsum_macs(equation, [_shape(shapes, name) for name in node.input])


def _recurrent(node: Any, shapes: Mapping[str, Shape]) -> int:
    # The output is [steps, directions, samples, width]. Its size is often known although the input's is not.
    steps, samples = _shape(shapes, node.output[0])[::2] if node.output[0] else _shape(shapes, node.input[0])[:2]
    return steps * samples * sum(_size(shapes, name) for name in node.input[1:3])


_COUNTS: dict[str, Callable[[Any, Mapping[str, Shape]], int]] = {
    "Conv": lambda node, shapes: _size(shapes, node.output[0]) * prod(_shape(shapes, node.input[1])[1:]),
    "ConvTranspose": lambda node, shapes: _size(shapes, node.input[0]) * prod(_shape(shapes, node.input[1])[1:]),
    "Gemm": _product,
    "MatMul": _product,
    "Einsum": _einsum,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
}


def _shapes(model: Any, input_shape: Sequence[int]) -> Mapping[str, Shape]:
    """The shape of every value in the graph for one sample of the given shape."""
    onnx, _ = require_onnx()
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for dim, size in zip(fixed.graph.input[0].type.tensor_type.shape.dim, (1, *input_shape), strict=True):
        dim.dim_value = size
    # Otherwise onnx would keep the shapes with symbols.
    del fixed.graph.value_info[:]
    for output in fixed.graph.output:
        output.type.tensor_type.ClearField("shape")
    shapes = _inferred(onnx, fixed)
    # onnx infers computations with sizes only in part. Known sizes are made constants, which makes more sizes known,
    # layer by layer.
    while any(name and name not in shapes for node in fixed.graph.node for name in node.output) and _fix_sizes(
        fixed, shapes
    ):
        shapes = _inferred(onnx, fixed)
    return shapes


def _inferred(onnx: ModuleType, model: Any) -> dict[str, Shape]:
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except onnx.shape_inference.InferenceError as error:
        raise InputError(f"the sizes of the ONNX graph are not known before it runs: {in_one_line(error)}") from error
    shapes = {tensor.name: tuple(tensor.dims) for tensor in inferred.initializer}
    for value in [*inferred.input, *inferred.value_info, *inferred.output]:
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    return shapes


def _fix_sizes(model: Any, shapes: Mapping[str, Shape]) -> bool:
    """Replace every Shape of a known value by a constant, and fold constants; returns whether there was one."""
    from onnx import numpy_helper
    from onnxscript.optimizer import fold_constants

    known = [node for node in model.graph.node if node.op_type == "Shape" and node.input[0] in shapes]
    for node in known:
        first, last = (next((a.i for a in node.attribute if a.name == name), None) for name in ("start", "end"))
        sizes = np.array(shapes[node.input[0]][first:last], np.int64)
        model.graph.initializer.append(numpy_helper.from_array(sizes, node.output[0]))
        model.graph.node.remove(node)
    fold_constants(model)
    return bool(known)


def _shape(shapes: Mapping[str, Shape], name: str) -> Shape:
    if name not in shapes:
        raise InputError(f"the size of {name} is only known when the ONNX model runs")
    return shapes[name]


def _size(shapes: Mapping[str, Shape], name: str) -> int:
    return prod(_shape(shapes, name))
