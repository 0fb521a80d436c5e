"""Running the parts of a network so that none changes what another one reads."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from nas.errors import InputError, in_one_line


class PartRunner:
    """Runs stem, blocks and heads; a part that writes to its input gets a copy of it.

    A tensor between two parts has several readers: other branches or candidates, heads, and the backward pass. A part
    that writes to its input, as one that begins with an in-place activation or dropout does, would change it for all of
    them. Which parts write is tried on copies before each first runs in a mode (training or evaluation). Only those are
    given copies, so the others cost no memory.

    The trial also checks what a part gives. All instances of a block count as one part.
    """

    def __init__(self) -> None:
        self._writes: dict[tuple[str, bool], bool] = {}

    def stem(self, part: nn.Module, inputs: Tensor) -> Tensor:
        """[B, ...] -> features [B, ...]."""
        features: Tensor = self._run("the stem", part, (inputs,))
        return features

    def block(self, l: int, part: nn.Module, features: Tensor) -> Tensor:
        """Features [B, ...] -> features [B, ...]."""
        outputs: Tensor = self._run(f"block {l}", part, (features,))
        return outputs

    def head(self, task: str, part: nn.Module, features: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """The features of the taps, and the inputs' size -> outputs [B, ...]."""
        outputs: Tensor = self._run(f"the head of {task}", part, features, size)
        return outputs

    def _run(self, name: str, part: nn.Module, tensors: Sequence[Tensor], size: Sequence[int] | None = None) -> Any:
        """
        Raises:
            InputError: a part gives no tensor of floating point [B, ...], or writes to its input at some calls only.
        """
        key = (name, part.training)
        if key not in self._writes and not _is_traced():
            self._writes[key] = _try(name, part, tensors, size)
        # A graph that is traced before the part has run gets a copy, which is right in any case.
        if self._writes.get(key, True):
            return _call(part, tuple(map(_copy, tensors)), size)
        before = _versions(tensors)
        outputs = _call(part, tensors, size)
        if not _is_traced() and _versions(tensors) != before:
            raise InputError(
                f"{name} writes to its input at some calls and not at others, so other readers of it see either; "
                "let it begin with features = features.clone()"
            )
        if size is not None:
            _check_depends(name, part, tensors, outputs)
        return outputs


def _call(part: nn.Module, tensors: Sequence[Tensor], size: Sequence[int] | None) -> Any:
    return part(*tensors) if size is None else part(tuple(tensors), size)


def _try(name: str, part: nn.Module, tensors: Sequence[Tensor], size: Sequence[int] | None) -> bool:
    """Whether a part writes to its inputs, found on copies; its buffers and the random numbers stay as they were.

    It is apart from the training step, whose rounding would depend on where the copies are in its graph: a resumed run
    tries a part at another step than an undisturbed one.
    """
    given = tuple(map(_copy, tensors))
    before, device = _versions(given), tensors[0].device
    buffers = [(buffer, buffer.clone()) for buffer in part.buffers()]
    with torch.no_grad(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        outputs = _call(part, given, size)
        for buffer, value in buffers:
            buffer.copy_(value)
    check_outputs(name, outputs, len(tensors[0]))
    return _versions(given) != before


@contextmanager
def explaining_in_place_errors() -> Iterator[None]:
    """An InputError for a backward pass that fails because a module has changed in place what an earlier one kept."""
    try:
        yield
    except RuntimeError as error:
        if "modified by an inplace operation" not in str(error):
            raise
        raise InputError(
            "a module of the network changes in place what an earlier one has kept for its gradient, as "
            f"nn.Dropout(inplace=True) after nn.ReLU does; leave inplace out there ({in_one_line(error)})"
        ) from error


def _is_traced() -> bool:
    return torch.compiler.is_compiling() or bool(torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call]


def _copy(tensor: Tensor) -> Tensor:
    # A tensor made in inference mode has no version that tells whether it was written to.
    with torch.inference_mode(False) if torch.is_inference_mode_enabled() else nullcontext():
        return tensor.clone()


def _versions(tensors: Sequence[Tensor]) -> list[int]:
    return [0 if tensor.is_inference() else tensor._version for tensor in tensors]


def check_outputs(name: str, outputs: Any, batch_size: int) -> None:
    """InputError unless a part gives one tensor of floating point [B, ...], with channels if it is no head.

    Args:
        name: "the stem", "block 0", "the head of TASK".
    """
    is_head = name.startswith("the head")
    wanted = "must be one tensor [batch, ...]" if is_head else "features must be one tensor [batch, channels, ...]"
    if not isinstance(outputs, Tensor):
        raise InputError(f"{name} gives {type(outputs).__name__}; {wanted}")
    if not outputs.is_floating_point():
        raise InputError(f"{name} gives {outputs.dtype}; {wanted} of floating point")
    if outputs.dim() < (1 if is_head else 2) or len(outputs) != batch_size:
        raise InputError(f"{name} gives {list(outputs.shape)} for a batch of {batch_size}; {wanted}")


def _check_depends(name: str, head: nn.Module, features: Sequence[Tensor], outputs: Tensor) -> None:
    trained = any(tensor.requires_grad for tensor in (*features, *head.parameters()))
    if torch.is_grad_enabled() and trained and not outputs.requires_grad:
        raise InputError(f"{name} gives outputs that depend on neither its features nor its weights; nothing trains it")
