"""Several data sets as one: the samples of the first, then those of the second, and so on."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import ConcatDataset

from nas.data.batch import Batch, collate, read_many, reordered
from nas.data.named import in_memory


class ConcatenatedDataset(ConcatDataset[Any]):
    """torch's `ConcatDataset`, but a batch asks each data set once, for all its samples."""

    def __init__(self, parts: Any) -> None:
        # Not typed: torch's annotations name its own class, but our protocol is enough.
        super().__init__(parts)

    @property
    def in_memory(self) -> bool:
        return all(map(in_memory, self.datasets))

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        rows = torch.as_tensor(indices)
        where = torch.bucketize(rows, torch.tensor(self.cumulative_sizes), right=True)
        by_part = [(where == i).nonzero().flatten() for i in range(len(self.datasets))]
        parts: list[Any] = self.datasets
        batch = _concatenate(
            [
                collate(read_many(part, (rows[places] - start).tolist()))
                for part, places, start in zip(parts, by_part, [0, *self.cumulative_sizes], strict=False)
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
