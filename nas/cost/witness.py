"""The second count of MACs: torch's own counter, which looks at the operators that really run.

fvcore (`nas.cost.operators`) reads a trace, in which an operator without a handle costs nothing. torch's
`FlopCounterMode` sees every operator below it, also those inside of custom functions, and what neither counts can be
told by its name.
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

    ``operators`` are, by a module's name, those with arithmetic that it has no formula for.
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
        counted: its MACs by submodule's name, as fvcore has them.
        unsupported: the operators that fvcore has no handle for, by submodule's name.
        seen: what torch's counter says of the same call.
    """
    # Submodules come before what holds them, so that a difference is told where it arises.
    apart: list[str] = []
    for name in sorted(counted, key=len, reverse=True):
        if counted[name] != seen.macs.get(name, 0) and not any(_within(inner, name) for inner in apart):
            apart.append(name)
    if counted.get("") == seen.macs.get("", 0):
        apart = []
    found = set()
    for name in {*apart, *seen.operators}:
        # fvcore's names are those of the call in the module's code; torch's counter sees what these come down to.
        called = {operator for operator in unsupported.get(name, ()) if has_arithmetic(operator)}
        names = {short_name(operator) for operator in called or seen.operators.get(name, set())}
        if not names:
            others = sorted(map(short_name, unsupported.get(name, ())))
            names = {f"one of {', '.join(others)}" if others else "an operator"}
        where = ".".join([root, *([name] if name else [])])
        found |= {Uncounted(operator, where) for operator in names}
    return found


def has_arithmetic(operator: str) -> bool:
    """Whether an operator without a formula may have multiply-adds, by its name, such as ``aten::fft_rfft2``.

    Of torch's own operators those may that are named after a product of matrices, a transform, a decomposition or a
    layer made of them; of other libraries, and of functions of the user's own, all may. Those that torch marks as
    working element by element have none.
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
    """Attention layers made of linear layers and products: without torch's fused path for evaluation mode."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Takes down the operators that torch's counter, which runs inside of it, has no formula for."""

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
        # The innermost of the modules that are running has the longest path.
        self.found[max(self.counter.mod_tracker.parents - {"Global"}, key=len, default="")].add(operator)


def _path(name: str, root: str) -> str:
    """A submodule's path in fvcore's way, "" for the whole, of torch's: ``Global``, ``Block``, ``Block.attention``."""
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
"""What torch's counter lacks."""
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
