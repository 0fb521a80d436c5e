"""Which dimension of each block's features holds the channels: stated by the backbone, or inferred."""

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm

from nas.errors import InputError
from nas.networks.supernet import Supernet
from nas.strategies.similarity.copies import routing_of

_LOGGER = logging.getLogger(__name__)

_SECOND = (_ConvNd, _BatchNorm, _InstanceNorm, nn.GroupNorm)
"""Modules whose output is [batch, channels, ...]."""

_LAST = (nn.Linear, nn.LayerNorm, nn.Embedding, nn.TransformerEncoderLayer)
"""Modules whose output is [batch, ..., channels]."""


@torch.no_grad()
def channel_dims(copies: Supernet, sample: Tensor) -> tuple[int, ...]:
    """The dimension that holds the channels, positive, for the features after each block.

    The backbone can state it as ``channel_dim``. Otherwise it is the first of these that applies:

    1. dimension 1 of features [batch, channels];
    2. the only dimension whose size stays the same if the input has half the height and width (for sequences, half the
       length), if the blocks run on such an input;
    3. the channel dimension of the block's convolutions and norms, or of its linear layers, if the features have that
       many channels there;
    4. the last of three dimensions (tokens), else dimension 1, with a warning.

    Args:
        copies: the own copies; those of the first task run, in evaluation mode.
        sample: an input [1, ...] on their device.

    Raises:
        InputError: the features do not have the stated dimension.
    """
    was_training = copies.training
    copies.eval()
    try:
        with torch.random.fork_rng(devices=[sample.device] if sample.is_cuda else []):
            shapes, votes = _shapes_and_votes(copies, sample)
            if copies.channel_dims is not None:
                return tuple(map(_stated, range(copies.num_blocks), copies.channel_dims, shapes))
            found = _by_size(copies, sample, shapes)
    finally:
        copies.train(was_training)
    return tuple(
        1 if len(shape) == 2 else size or vote or _usual(l, shape)
        for l, (shape, size, vote) in enumerate(zip(shapes, found, votes, strict=True))
    )


def _stated(l: int, dim: int, shape: torch.Size) -> int:
    if not 1 <= dim % len(shape) <= len(shape) - 1 or not -len(shape) < dim < len(shape):
        raise InputError(f"the backbone's channel_dim is {dim}, but the features after block {l} are {_named(shape)}")
    return dim % len(shape)


def _usual(l: int, shape: torch.Size) -> int:
    dim = 2 if len(shape) == 3 else 1
    _LOGGER.warning(
        "features after block %d are %s, and dimension %d is assumed to hold the channels; "
        "state the dimension as a member channel_dim of the backbone",
        *(l, _named(shape), dim),
    )
    return dim


def _named(shape: torch.Size) -> str:
    return f"[batch, {', '.join(map(str, shape[1:]))}]"


def _by_size(copies: Supernet, sample: Tensor, shapes: Sequence[torch.Size]) -> list[int | None]:
    """Per block, the only dimension whose size stays the same for a smaller input; None if there is not exactly one."""
    # Inputs are [1, channels, sizes...], or [1, length, features].
    smaller = [sample[:, :, *(slice((size + 1) // 2) for size in sample.shape[2:])]]
    if sample.dim() == 3:
        smaller.append(sample[:, : (sample.shape[1] + 1) // 2])
    for inputs in smaller:
        if inputs.shape == sample.shape:
            continue
        try:
            others, _ = _shapes_and_votes(copies, inputs)
        except Exception:  # a network may raise anything on a size that it was not made for
            continue
        return list(map(_kept, shapes, others))
    return [None] * len(shapes)


def _kept(shape: torch.Size, other: torch.Size) -> int | None:
    kept = [dim for dim in range(1, len(shape)) if len(other) == len(shape) and shape[dim] == other[dim]]
    return kept[0] if len(kept) == 1 else None


def _shapes_and_votes(copies: Supernet, inputs: Tensor) -> tuple[list[torch.Size], list[int | None]]:
    """The shape of the features after each block, and the dimension that the block's modules agree on."""
    seen: list[list[tuple[int, torch.Size]]] = []
    hooks = []
    for candidates in copies.blocks:
        outputs: list[tuple[int, torch.Size]] = []
        seen.append(outputs)
        assert isinstance(candidates, nn.ModuleList)
        # A subclass of a linear layer or LayerNorm may permute dimensions.
        hooks += [
            module.register_forward_hook(_noting(outputs, isinstance(module, _SECOND)))
            for module in candidates[0].modules()
            if isinstance(module, _SECOND) or type(module) in _LAST
        ]
    try:
        features = copies.features(copies.start(inputs), routing_of(copies), copies.task_names[:1])
        shapes = [block[0].shape for block in features]
    finally:
        for hook in hooks:
            hook.remove()
    votes = [
        {dim for dim, size in outputs if len(size) == len(shape) and size[dim] == shape[dim]}
        for outputs, shape in zip(seen, shapes, strict=True)
    ]
    return shapes, [next(iter(dims)) if len(dims) == 1 else None for dims in votes]


def _noting(outputs: list[tuple[int, torch.Size]], second: bool) -> Callable[[nn.Module, object, object], None]:
    def note(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() > 1:
            outputs.append((1 if second else output.dim() - 1, output.shape))

    return note
