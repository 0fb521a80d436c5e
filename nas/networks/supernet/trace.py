"""Tracing a function of tensors into the plain list of its operators, which removes the overhead of `vmap`."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

_SAME_ELEMENTS = {
    torch.ops.aten.view.default,
    torch.ops.aten._unsafe_view.default,
    torch.ops.aten.expand.default,
}


def trace(function: Callable[..., Tensor], *examples: Tensor) -> Callable[..., Tensor]:
    """Record the operators of ``function``, to run them again on other tensors of the same shapes.

    At every call, a vmap decides how to batch each operator, which takes longer than small operators themselves. The
    trace stores its decisions. It can be differentiated, and performs the function's in-place operations; but if the
    function writes to its last tensor, the trace writes to a copy.

    Args:
        function: a function of tensors only; its decisions in Python are made once, for the examples.
        examples: example arguments, which are copied first.

    Raises:
        Any error of the function; RuntimeError if it reads the value of a tensor.
    """
    copies = [example.detach().clone() for example in examples]
    before = copies[-1]._version
    with torch.no_grad():
        graph = make_fx(function)(*copies)
    _drop_idle_views(graph.graph)
    graph.recompile()
    # Calling `forward` directly skips the overhead of a module's call.
    run: Callable[..., Tensor] = graph.forward
    if copies[-1]._version == before:
        return run
    return lambda *tensors: run(*tensors[:-1], tensors[-1].clone())


def _drop_idle_views(graph: fx.Graph) -> None:
    """Remove operators that change nothing; batching rules add many of them."""
    for node in list(graph.nodes):
        if node.op == "call_function" and _is_idle(node):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)


def _is_idle(node: fx.Node) -> bool:
    if node.target in _SAME_ELEMENTS:
        return bool(_shape(node) == _shape(node.args[0]))
    if node.target is torch.ops.aten.permute.default:
        order = cast(list[int], node.args[1])
        return order == list(range(len(order)))
    if node.target is torch.ops.aten.mul.Scalar:
        return bool(node.args[1] == 1)
    return False


def _shape(node: Any) -> Any:
    return node.meta["val"].shape
