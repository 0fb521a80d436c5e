"""Features of all copies after each block, as rows: samples, or the same positions of the same samples."""

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
"""Of rows that are held at once; for the blocks that are left the inputs run again."""

Inputs = Callable[[], Iterable[Tensor]]
"""Batches of inputs, the same at every call."""


@torch.no_grad()
def features_by_block(
    copies: Supernet, inputs: Inputs, num_samples: int, num_rows: int, *, seed: int, max_bytes: int = MAX_BYTES
) -> Iterator[Tensor]:
    """features_CNW of one block after another, in evaluation mode: C copies, N rows, W channels.

    A feature [B, W] gives a row a sample. One with positions, as [B, W, height, width] or tokens [B, positions, W],
    gives as many random positions of each sample as make ``num_rows`` of all samples: at least one, at most all of
    them. All copies are looked at in the same positions. `channel_dims` says which dimension is W.

    Args:
        copies: of which candidate c of each block is the own copy of the supernet's task c.
        inputs: on the copies' device.
        num_samples: of the inputs, of which the first ``num_rows`` at most are used.
        num_rows: the number of rows is below twice this.
        seed: of the positions.
        max_bytes: of rows that are held at once, but for a single block.

    Raises:
        InputError: a block gives anything but one tensor of two dimensions or more, or has no such dimension as the
            backbone states. WorkFailed: features are not finite.
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
            raise WorkFailed(f"features after block {l} hold NaN or infinity; lower the learning rate of the warm-up")
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
