"""The peak of the bytes that a call allocates."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@torch.no_grad()
def peak_bytes(call: Callable[[], object]) -> int:
    """The largest number of bytes, alive at the same time, of tensors that a call makes.

    Args:
        call: without arguments. What it returns is kept until the end.
    """
    seen = _Allocations()
    with seen:
        returned = call()
    del returned
    return seen.peak


class _Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages that operators allocate, until nothing refers to them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak: int = 0
        self._alive: dict[Any, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = {_storage(tensor) for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)}
        result = func(*args, **(kwargs or {}))
        self._alive = {storage: size for storage, size in self._alive.items() if not storage.expired()}
        made = {_storage(tensor): tensor for tensor in tree_leaves(result) if isinstance(tensor, Tensor)}
        self._alive |= {
            storage: tensor.untyped_storage().nbytes() for storage, tensor in made.items() if storage not in given
        }
        self.peak = max(self.peak, sum(self._alive.values()))
        return result


def _storage(tensor: Tensor) -> Any:
    """Refers to a tensor's memory without keeping it; equal for tensors that share it."""
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
