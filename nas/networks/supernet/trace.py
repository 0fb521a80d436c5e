"""A function of tensors as the plain list of operators that it runs: what is left of a `vmap` once it has been run."""

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
    """The operators of ``function`` at tensors of these shapes, to be run again on others of the same shapes.

    A vmap decides anew at every call how to batch each operator, which costs more than the operators themselves where
    those are small. The trace is what it decided. It can be differentiated, and does in place what the function
    does in place; but where the function writes to its last tensor, the trace writes to a copy.

    Args:
        function: of tensors alone; what it decides in Python is decided once and for all.
        examples: copied before the function runs on them.

    Raises:
        whatever the function raises, and RuntimeError where it reads a value of a tensor.
    """
    copies = [example.detach().clone() for example in examples]
    before = copies[-1]._version
    with torch.no_grad():
        graph = make_fx(function)(*copies)
    _drop_idle_views(graph.graph)
    graph.recompile()
    # Without a module's call and its hooks.
    run: Callable[..., Tensor] = graph.forward
    if copies[-1]._version == before:
        return run
    return lambda *tensors: run(*tensors[:-1], tensors[-1].clone())


def _drop_idle_views(graph: fx.Graph) -> None:
    """Take out operators that change nothing, of which the batching rules leave many."""
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
