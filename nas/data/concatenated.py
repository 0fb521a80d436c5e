"""Several data sets as one: the samples of the first, then those of the second, and so on."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import torch

from nas.data.batch import Batch, Dataset, Sample, collate, read_many, reordered
from nas.data.epoch import at_epoch
from nas.data.named import in_memory, sample_name
from nas.data.seeds import derive_seed


class ConcatenatedDataset:
    """Data sets one after the other. A batch asks each of them once, for all its samples.

    Differs from torch.utils.data.ConcatDataset, which asks for one sample at a time.
    """

    def __init__(self, parts: Sequence[Dataset]) -> None:
        assert parts
        self.parts = tuple(parts)
        self._starts = [0, *accumulate(len(part) for part in self.parts)]

    @property
    def in_memory(self) -> bool:
        return all(map(in_memory, self.parts))

    def at_epoch(self, seed: int, epoch: int) -> "ConcatenatedDataset":
        """The parts as they are in an epoch; each has its own seed."""
        return ConcatenatedDataset(
            [at_epoch(part, derive_seed("part", seed, i), epoch) for i, part in enumerate(self.parts)]
        )

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        part = bisect_right(self._starts, index) - 1
        return self.parts[part][index - self._starts[part]]

    def sample_name(self, index: int) -> str | None:
        """The name of a sample in the part that it comes from."""
        part = bisect_right(self._starts, index) - 1
        return sample_name(self.parts[part], index - self._starts[part])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        rows = torch.as_tensor(indices)
        where = torch.bucketize(rows, torch.tensor(self._starts[1:]), right=True)
        by_part = [(where == i).nonzero().flatten() for i in range(len(self.parts))]
        batch = _concatenate(
            [
                collate(read_many(part, (rows[places] - start).tolist()))
                for part, places, start in zip(self.parts, by_part, self._starts, strict=False)
                if len(places)
            ]
        )
        return reordered(batch, torch.cat(by_part).argsort())


def _concatenate(batches: Sequence[Batch]) -> Batch:
    labels, present = {}, {}
    for task in sorted({task for batch in batches for task in batch.labels}):
        labelled = [batch for batch in batches if task in batch.labels]
        labels[task] = torch.cat([batch.labels[task] for batch in labelled])
        none = labelled[0].present[task].new_zeros(1)
        present[task] = torch.cat([batch.present.get(task, none.expand(len(batch.inputs))) for batch in batches])
    return Batch(torch.cat([batch.inputs for batch in batches]), labels, present)
