"""A second count of MACs, by torch's own counter, to find what the first one misses.

fvcore (`nas.cost.operators`) reads a trace, and counts nothing for an operator without a handle. torch's
`FlopCounterMode` sees the operators that really run, also inside of custom functions. Operators that neither counts are
recognised by their names.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

Counts = Mapping[str, int]
"""MACs by a module's name; the whole is ""."""


@dataclass(frozen=True)
class Uncounted:
    """An operator with arithmetic whose MACs are not known, in the module that calls it.

    ``module`` is the class of the measured module, followed by the path to the submodule: ``Block.attention``.
    """

    operator: str
    module: str

    def __str__(self) -> str:
        return f"{self.operator} in {self.module}"


@dataclass(frozen=True)
class TorchCount:
    """What torch's counter saw in one call of a module.

    ``operators`` are, by submodule's name, the operators with arithmetic for which the counter has no formula.
    """

    macs: Counts
    operators: Mapping[str, set[str]]
    output: Any


def count_with_torch(module: nn.Module, inputs: tuple[Tensor, ...]) -> TorchCount:
    """Call a module once and count."""
    counter = FlopCounterMode(display=False, custom_mapping=_FORMULAS)
    operators = _Operators(counter)
    with operators, counter:
        output = module(*inputs)
    root = type(module).__name__
    counts = {_path(name, root): sum(by.values()) // 2 for name, by in counter.get_flop_counts().items()}
    return TorchCount(counts, {_path(name, root): found for name, found in operators.found.items()}, output)


def uncounted(root: str, counted: Counts, unsupported: Mapping[str, set[str]], seen: TorchCount) -> set[Uncounted]:
    """Where a count by fvcore is incomplete.

    Args:
        root: the class of the module that was counted.
        counted: fvcore's MACs, by submodule's name.
        unsupported: the operators without a handle in fvcore, by submodule's name.
        seen: the count of the same call by torch's counter.
    """
    # Inner modules come first, so that a difference is reported for the module in which it arises.
    differing: list[str] = []
    for name in sorted(counted, key=len, reverse=True):
        if counted[name] != seen.macs.get(name, 0) and not any(_within(inner, name) for inner in differing):
            differing.append(name)
    if counted.get("") == seen.macs.get("", 0):
        differing = []
    found = set()
    for name in {*differing, *seen.operators}:
        # fvcore names the function that the module calls; torch's counter names the operators that it runs.
        called = {operator for operator in unsupported.get(name, ()) if has_arithmetic(operator)}
        names = {short_name(operator) for operator in called or seen.operators.get(name, set())}
        if not names:
            others = sorted(map(short_name, unsupported.get(name, ())))
            names = {f"one of {', '.join(others)}" if others else "an operator"}
        where = ".".join([root, *([name] if name else [])])
        found |= {Uncounted(operator, where) for operator in names}
    return found


def has_arithmetic(operator: str) -> bool:
    """Whether an operator without a formula may have multiply-adds, judged by its name, such as ``aten::fft_rfft2``.

    An operator of torch may have them if it is named after a matrix product, a transform, a decomposition or a layer
    made of those, unless torch marks it as elementwise. Operators of other libraries and the user's own functions may
    always have them.
    """
    library, _, name = operator.rpartition("::")
    packet = getattr(getattr(torch.ops, library), name, None)
    if packet is not None and any(set(getattr(packet, form).tags) & _ELEMENTWISE for form in packet.overloads()):
        return False
    return library not in ("aten", "prims") or (bool(_ARITHMETIC.search(name)) and not _NO_ARITHMETIC.search(name))


def short_name(operator: str) -> str:
    """``fft_r2c`` of ``aten::_fft_r2c``, and ``Swish`` of a function of the user's own, ``prim::PythonOp.Swish``."""
    return _PREFIX.sub("", operator)


@contextmanager
def plain_attention() -> Iterator[None]:
    """Turn off torch's fused path of attention layers in evaluation mode, so that their operators can be counted."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operators for which torch's counter, which runs inside of this mode, has no formula."""

    supports_higher_order_operators = True

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counter = counter
        self.found: dict[str, set[str]] = defaultdict(set)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "_name", str(func)).partition(".")[0]
        if getattr(func, "overloadpacket", None) in self.counter.flop_registry:
            # A formula counts the product of two complex numbers as one multiply-add; it is four, or three.
            if any(isinstance(value, Tensor) and value.is_complex() for value in tree_leaves((args, kwargs))):
                self._take_down(f"{name} of complex numbers")
        elif has_arithmetic(name):
            self._take_down(name)
        return func(*args, **(kwargs or {}))

    def _take_down(self, operator: str) -> None:
        # Of all running modules, the innermost one has the longest path.
        self.found[max(self.counter.mod_tracker.parents - {"Global"}, key=len, default="")].add(operator)


def _path(name: str, root: str) -> str:
    """fvcore's path of a submodule ("" for the whole) from torch's: ``Global``, ``Block``, ``Block.attention``."""
    return "" if name == "Global" else name.removeprefix(root).removeprefix(".")


def _within(inner: str, name: str) -> bool:
    return inner == name or name == "" or inner.startswith(f"{name}.")


def _twice(macs: Callable[..., int]) -> Callable[..., int]:
    """A formula of floating-point operations, of the inputs' shapes."""
    return lambda *shapes, out_shape=None, **_: 2 * macs(*shapes)


def _attention(query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


_aten = torch.ops.aten
_FORMULAS: dict[Any, Callable[..., int]] = {
    _aten.mv: _twice(lambda matrix, *_: prod(matrix)),
    _aten.dot: _twice(lambda vector, *_: prod(vector)),
    _aten.vdot: _twice(lambda vector, *_: prod(vector)),
    _aten._trilinear: _twice(lambda first, weight, second, *_: first[0] * (prod(weight) + weight[0] * second[1])),
    _aten.mkldnn_rnn_layer: _twice(lambda x, w, u, *_: prod(x[:-1]) * (prod(w) + prod(u))),
    _aten._scaled_dot_product_flash_attention_for_cpu: _attention,
}
"""Formulas that torch's counter lacks."""
for _name in ("addmv", "addmv_"):
    _FORMULAS[getattr(_aten, _name)] = _twice(lambda added, matrix, *_: prod(matrix))
for _name in ("addbmm", "addbmm_", "baddbmm_", "addmm_"):
    _FORMULAS[getattr(_aten, _name)] = _twice(lambda added, first, second, *_: prod(first) * second[-1])

_ELEMENTWISE = {torch.Tag.pointwise, torch.Tag.reduction}
_ARITHMETIC = re.compile(
    r"(^|_)([a-z]*mm|conv(olution|_|\d).*|[a-z]*mv|v?dot|tensordot|matmul|einsum|linear|trilinear|lstm|gru|rnn"
    r"|attention|encoder|i?stft|fft|linalg|[cp]?inverse|cholesky|qr|geqrf|orgqr|ormqr|svd|eig|lu|(sp)?solve|matrix|cov"
    r"|corrcoef|[cp]dist|euclidean)(_|$)"
)
_PREFIX = re.compile("^(aten|prims|prim)::_*(PythonOp[.])?")
_NO_ARITHMETIC = re.compile(r"check_errors|fftfreq|fftshift|linalg_cross|linalg_diagonal")
