"""Multiply-adds of an ONNX graph, counted from its shapes: the check on what the cost table predicts."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from nas.deploy.onnx_file import require_onnx
from nas.errors import InputError, in_one_line

Shape = tuple[int, ...]


def count_macs(model: Any, input_shape: Sequence[int]) -> int:
    """MACs of one sample in convolutions and matrix products (`nas.cost`: one multiply-add is one).

    ==================== ================================================================
    Conv                 outputs x (input channels / groups) x kernel
    ConvTranspose        inputs x (output channels / groups) x kernel
    Gemm, MatMul         outputs x inner dimension
    ==================== ================================================================

    Args:
        model: an ONNX model of one input.
        input_shape: of one sample.

    Raises:
        InputError: a size that counts is not known before the model runs.
    """
    shapes = _shapes(model, input_shape)
    total = 0
    for node in model.graph.node:
        if node.op_type == "Conv":
            total += _size(shapes, node.output[0]) * prod(_shape(shapes, node.input[1])[1:])
        elif node.op_type == "ConvTranspose":
            total += _size(shapes, node.input[0]) * prod(_shape(shapes, node.input[1])[1:])
        elif node.op_type in ("Gemm", "MatMul"):
            transposed = any(item.name == "transA" and item.i for item in node.attribute)
            inner = _shape(shapes, node.input[0])[0 if transposed else -1]
            total += _size(shapes, node.output[0]) * inner
    return total


def _shapes(model: Any, input_shape: Sequence[int]) -> Mapping[str, Shape]:
    """Every value's shape for one sample of this shape."""
    onnx, _ = require_onnx()
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for dim, size in zip(fixed.graph.input[0].type.tensor_type.shape.dim, (1, *input_shape), strict=True):
        dim.dim_value = size
    # Shapes with symbols are known already, and would be kept.
    del fixed.graph.value_info[:]
    for output in fixed.graph.output:
        output.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True).graph
    except onnx.shape_inference.InferenceError as error:
        raise InputError(f"the sizes of the ONNX graph are not known before it runs: {in_one_line(error)}") from error
    shapes = {tensor.name: tuple(tensor.dims) for tensor in inferred.initializer}
    for value in [*inferred.input, *inferred.value_info, *inferred.output]:
        dims = value.type.tensor_type.shape.dim
        if all(dim.HasField("dim_value") for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    return shapes


def _shape(shapes: Mapping[str, Shape], name: str) -> Shape:
    if name not in shapes:
        raise InputError(f"the size of {name} is only known when the ONNX model runs")
    return shapes[name]


def _size(shapes: Mapping[str, Shape], name: str) -> int:
    return prod(_shape(shapes, name))
