"""Several data sets as one."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import torch

from nas.data import Batch, Dataset, Sample, collate


class JoinedDataset:
    """Data sets one after the other, as fast in bulk as each of them is.

    A batch made in bulk has the samples of the first set before those of the second, and so on. (torch's own
    ConcatDataset asks for every sample by itself.)
    """

    def __init__(self, parts: Sequence[Dataset]) -> None:
        assert parts
        self.parts = tuple(parts)
        self._starts = [0, *accumulate(len(part) for part in self.parts)]

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int) -> Sample:
        part, row = self._locate(index)
        return self.parts[part][row]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        rows: list[list[int]] = [[] for _ in self.parts]
        for part, row in map(self._locate, indices):
            rows[part].append(row)
        return _concatenate([_bulk(part, wanted) for part, wanted in zip(self.parts, rows, strict=True) if wanted])

    def _locate(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        part = bisect_right(self._starts, index) - 1
        return part, index - self._starts[part]


def _bulk(dataset: Dataset, rows: list[int]) -> Batch:
    in_bulk = getattr(dataset, "__getitems__", None)
    return collate([dataset[row] for row in rows] if in_bulk is None else in_bulk(rows))


def _concatenate(batches: Sequence[Batch]) -> Batch:
    labels, present = {}, {}
    for task in sorted({task for batch in batches for task in batch.labels}):
        labelled = [batch for batch in batches if task in batch.labels]
        labels[task] = torch.cat([batch.labels[task] for batch in labelled])
        none = labelled[0].present[task].new_zeros(1)
        present[task] = torch.cat([batch.present.get(task, none.expand(len(batch.inputs))) for batch in batches])
    return Batch(torch.cat([batch.inputs for batch in batches]), labels, present)
