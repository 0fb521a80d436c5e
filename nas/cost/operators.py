"""What a MAC is, and how to count it for operators that fvcore does not know or counts differently.

A **MAC** is one multiply-add of a product of matrices, for one sample, in evaluation mode. These operators have them:

======================================== ========================================================================
convolution, also transposed             outputs (inputs, if transposed) x channels of a group x kernel
linear, matmul, mm, mv, dot, inner, ...  outputs x inner dimension
addmm, addmv, addbmm, baddbmm            the same; adding the first argument is not counted
einsum, tensordot, multi_dot, ...        those of the products of two matrices that torch makes of them
bilinear                                 those of ``einsum("ni,oij,nj->no")``
scaled_dot_product_attention             queries x keys x (width of a query + width of a value); a mask saves nothing
lstm, gru, rnn                           time steps x elements of every weight matrix
======================================== ========================================================================

Nothing else has MACs: not biases, activations, normalisation, pooling or interpolation, not elementwise products and
sums, and not lookups such as an embedding.

Complex numbers, Fourier transforms, decompositions and operators of other libraries cannot be counted
(`nas.cost.torch_count` finds them).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from fvcore.nn.jit_handles import addmm_flop_jit, conv_flop_count, get_shape
from torch.utils.flop_counter import FlopCounterMode

_Handle = Callable[[Sequence[Any], Sequence[Any]], Any]
"""(inputs, outputs) of an operator in fvcore's trace -> MACs."""


def _shape(value: Any) -> list[int]:
    """Of a tensor in the trace."""
    shape: list[int] = get_shape(value)
    return shape


def _matmul(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    """Vectors and broadcast batches included, which fvcore's own handle lacks."""
    return prod(_shape(outputs[0])) * prod(_shape(inputs[0])[-1:])


def _elements(position: int) -> _Handle:
    """A handle for operators that use every element of one input once."""
    return lambda inputs, outputs: prod(_shape(inputs[position]))


def _added_products(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    return prod(_shape(inputs[1])) * _shape(inputs[2])[-1]


def einsum_macs(equation: str, shapes: Sequence[Sequence[int]]) -> int:
    """MACs of ``torch.einsum(equation, ...)`` on operands of these shapes.

    >>> einsum_macs("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)])
    120
    """
    return _product_macs(torch.einsum, equation, *(torch.empty(tuple(shape), device="meta") for shape in shapes))


def _product_macs(operator: Callable[..., Any], *arguments: Any) -> int:
    """MACs of an operator that torch computes as products of two matrices; it runs on tensors without contents."""
    with FlopCounterMode(display=False) as counter:
        operator(*arguments)
    return int(counter.get_total_flops()) // 2


def _einsum(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    """fvcore has a handle, too, which counts half the products of elements and rounds to four digits."""
    return einsum_macs(inputs[0].toIValue(), [_shape(value) for value in inputs[1].node().inputs()])


def _replayed(operator: Callable[..., Any]) -> _Handle:
    return lambda inputs, outputs: _product_macs(operator, *map(_argument, inputs))


def _argument(value: Any) -> Any:
    if value.node().kind() == "prim::ListConstruct":
        return [_argument(item) for item in value.node().inputs()]
    return torch.empty(_shape(value), device="meta") if value.isCompleteTensor() else value.toIValue()


def _bilinear(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    _, first, second = _shape(inputs[2])
    return prod(_shape(outputs[0])) * (first * second + second)


def _attention(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    query, key, value = (_shape(tensor) for tensor in inputs[:3])
    return prod(_shape(outputs[0])[:-1]) * key[-2] * (query[-1] + value[-1])


def _recurrent(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    """The weights are the last list of tensors; a list of states comes before them, for an LSTM."""
    lists = [value for value in inputs if value.node().kind() == "prim::ListConstruct"]
    shapes = [_shape(value) for value in lists[-1].node().inputs()]
    matrices = sum(prod(shape) for shape in shapes if len(shape) == 2)
    return prod(_shape(inputs[0])[:-1]) * matrices


def _convolution_mode(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counter[str]:
    """A convolution with padding "same" or "valid"."""
    return Counter({"conv": conv_flop_count(*(_shape(value) for value in (*inputs[:2], outputs[0])))})


HANDLES: dict[str, _Handle] = {
    "aten::_convolution_mode": _convolution_mode,
    "aten::matmul": _matmul,
    "aten::inner": _matmul,
    "aten::mv": _elements(0),
    "aten::dot": _elements(0),
    "aten::vdot": _elements(0),
    "aten::addmv": _elements(1),
    "aten::addmv_": _elements(1),
    "aten::addmm_": addmm_flop_jit,
    "aten::addbmm": _added_products,
    "aten::addbmm_": _added_products,
    "aten::baddbmm": _added_products,
    "aten::baddbmm_": _added_products,
    "aten::einsum": _einsum,
    "aten::tensordot": _replayed(torch.ops.aten.tensordot),
    "aten::chain_matmul": _replayed(torch.ops.aten.chain_matmul),
    "aten::linalg_multi_dot": _replayed(torch.ops.aten.linalg_multi_dot),
    "aten::linalg_matrix_power": _replayed(torch.ops.aten.linalg_matrix_power),
    "aten::bilinear": _bilinear,
    "aten::scaled_dot_product_attention": _attention,
    **{f"aten::{kind}": _recurrent for kind in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
}
"""Handles that fvcore lacks, or that replace its own."""

MAC_OPERATORS = ("conv", "linear", "addmm", "mm", "bmm", *(name.removeprefix("aten::") for name in HANDLES))
"""fvcore's names of the operators that have MACs; other operators that it counts are listed separately."""
