"""The batches of trainings that a search does by itself."""

from collections.abc import Iterator
from typing import Literal

from nas.data import Batch, Dataset, batches
from nas.data.concatenated import ConcatenatedDataset
from nas.strategies.protocol import Problem

Splits = tuple[Literal["train", "architecture"], ...]


def training_set(problem: Problem, splits: Splits) -> Dataset:
    """Some splits as one."""
    return ConcatenatedDataset([problem.data.split(name) for name in splits])


def steps_of(dataset: Dataset, batch_size: int) -> int:
    """Steps of an epoch: whole batches, at least one."""
    return max(1, len(dataset) // batch_size)


def batches_of(
    problem: Problem, dataset: Dataset, batch_size: int, *, seed: int, epoch: int, drop_last: bool = True
) -> Iterator[Batch]:
    """Shuffled batches on the problem's device; the order depends on seed and epoch alone."""
    loader = batches(
        *(dataset, batch_size),
        seed=seed,
        epoch=epoch,
        shuffle=True,
        drop_last=drop_last,
        num_workers=problem.num_workers,
    )
    return (batch.to(problem.device) for batch in loader)
