"""Features of all copies after each block, as rows. A row is a sample, or a position in a sample."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from nas.data import derive_seed
from nas.errors import WorkFailed
from nas.networks.supernet import Supernet
from nas.strategies.similarity.channels import channel_dims
from nas.strategies.similarity.copies import routing_of

MAX_BYTES = 2**30
"""Bytes of rows that are held at once. If all blocks need more, the inputs run again for the remaining blocks."""

Inputs = Callable[[], Iterable[Tensor]]
"""Batches of inputs, the same at every call."""


@torch.no_grad()
def features_by_block(
    copies: Supernet, inputs: Inputs, num_samples: int, num_rows: int, *, seed: int, max_bytes: int = MAX_BYTES
) -> Iterator[Tensor]:
    """Yield features_CNW of one block after the other, in evaluation mode: C copies, N rows, W channels.

    Features [B, W] give one row per sample. Features with positions, such as [B, W, height, width] or tokens
    [B, positions, W], give several random positions per sample, at least one, so that there are about ``num_rows``
    rows. The positions are the same for all copies. `channel_dims` says which dimension is W.

    Args:
        copies: the own copies; candidate c of each block belongs to task c of this supernet.
        inputs: batches of inputs on the copies' device.
        num_samples: number of samples in the inputs; at most the first ``num_rows`` are used.
        num_rows: the wanted number of rows; there are fewer than twice as many.
        seed: seed of the positions.
        max_bytes: bytes of rows that are held at once; a single block may exceed it.

    Raises:
        InputError: a block does not give one tensor of at least two dimensions, or its features do not have the
            dimension that the backbone states.
        WorkFailed: features are not finite.
    """
    num_samples = min(num_samples, num_rows)
    was_training = copies.training
    copies.eval()
    try:
        one_sample = next(iter(inputs()))[:1]
        dims = channel_dims(copies, one_sample)
        sizes = [
            sum(_bytes(_as_positions(x, dim), num_samples, num_rows) for x in block)
            for block, dim in zip(_run(copies, one_sample), dims, strict=True)
        ]
        first = 0
        while first < copies.num_blocks:
            last = first + 1
            while last < copies.num_blocks and sum(sizes[first : last + 1]) <= max_bytes:
                last += 1
            yield from _pass(copies, inputs(), range(first, last), dims, num_samples, num_rows, seed)
            first = last
    finally:
        copies.train(was_training)


def _pass(
    copies: Supernet,
    inputs: Iterable[Tensor],
    blocks: range,
    dims: Sequence[int],
    num_samples: int,
    num_rows: int,
    seed: int,
) -> Iterator[Tensor]:
    """Rows of some blocks, from one pass over the inputs."""
    rows: dict[int, list[Tensor]] = {l: [] for l in blocks}
    left = num_samples
    for i, batch in enumerate(inputs):
        for l, features in zip(range(blocks.stop), _run(copies, batch[:left]), strict=False):
            if l in rows:
                generator = torch.Generator().manual_seed(derive_seed(seed, "positions", l, i))
                positions = [_as_positions(x, dims[l]) for x in features]
                rows[l].append(_sample(positions, math.ceil(num_rows / num_samples), generator))
        left -= len(batch)
        if left <= 0:
            break
    while rows:
        l = next(iter(rows))
        features_CNW = torch.cat(rows.pop(l), dim=1)
        if not torch.isfinite(features_CNW).all():
            raise WorkFailed(f"features after block {l} hold NaN or infinity; lower the learning rate of the copies")
        yield features_CNW


def _run(copies: Supernet, inputs: Tensor) -> Iterator[list[Tensor]]:
    return copies.features(copies.start(inputs), routing_of(copies), copies.task_names)


def _bytes(features_BPW: Tensor, num_samples: int, num_rows: int) -> int:
    positions, width = features_BPW.shape[1:]
    per_sample = min(positions, math.ceil(num_rows / num_samples))
    return num_samples * per_sample * width * features_BPW.element_size()


def _sample(features: Sequence[Tensor], per_sample: int, generator: torch.Generator) -> Tensor:
    """From [B, positions, W] of each copy [C, B * P, W]: the same P positions of each sample for all copies."""
    num_samples, num_positions = features[0].shape[:2]
    order = torch.rand(num_samples, num_positions, generator=generator).argsort(dim=1)[:, :per_sample]
    samples = torch.arange(num_samples)[:, None]
    return torch.stack([x[samples, order].flatten(0, 1) for x in features])


def _as_positions(features: Tensor, channel_dim: int) -> Tensor:
    """[B, positions, W]."""
    return features.movedim(channel_dim, -1).reshape(len(features), -1, features.shape[channel_dim])
