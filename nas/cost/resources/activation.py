"""Bytes of activations: an upper bound of the peak of a forward pass at batch 1.

The cost of a part is the peak of its own forward pass: the largest number of bytes, alive at the same time, that the
part has allocated for the results of its operators. Its inputs, its weights and the workspace inside an operator do not
count, and a result that is written in place or is a view of another one allocates nothing. The cost of a tree is the
sum over its parts.

The network of the tree never needs more, in whatever order its parts run: a part that has run holds its output at most,
and that was alive at the part's own peak. It usually needs less (about a third on MobileNetV2), because it frees what a
part needs only inside. The sum is what a budget can limit: a peak of the whole network does not add up over groups.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nas.cost.resources.resource import Resource, TracedPart


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


def count_activation(part: TracedPart) -> int:
    """The peak of one forward pass of a part."""
    return peak_bytes(lambda: part.module(*part.inputs))


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


ACTIVATION = Resource(
    name="activation",
    title="activations (bytes)",
    units=((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "bytes")),
    count=count_activation,
)
