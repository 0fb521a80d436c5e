"""Data sets whose errors name the sample: its split, its index and, if the data set knows it, its file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch.utils.data import ConcatDataset, Subset

from nas.data.batch import Batch, Dataset, DataSource, Sample, SplitName, collate, read_many
from nas.data.epoch import at_epoch
from nas.data.pixels import PixelScale, find_pixel_scale
from nas.errors import InputError, as_input_errors, machine_failure


class SampleFault(InputError):
    """Something is wrong with a sample; the message names it."""


class NamedSource:
    """A wrapper of a data source; its splits are `NamedSamples`."""

    def __init__(self, source: DataSource) -> None:
        self.source = source

    @property
    def pixel_scale(self) -> PixelScale | None:
        """The source's own."""
        return find_pixel_scale(self.source)

    def describe_splits(self) -> dict[str, list[str]]:
        """The names of the samples in each split; empty if the source has no names."""
        describe = getattr(self.source, "describe_splits", None)
        return {} if describe is None else dict(describe())

    def split(self, name: SplitName) -> "NamedSamples":
        return NamedSamples(self.source.split(name), name)


class NamedSamples:
    """A wrapper of a data set that reads batches in bulk and whose errors name the sample.

    Raises, when samples are read:
        InputError: the data set raises anything (in one line); samples are not pairs of a tensor and labels or cannot
            be stacked; or inputs hold NaN or infinite numbers.
    """

    def __init__(self, dataset: Dataset, split: str | None = None) -> None:
        self.dataset = dataset
        self.split = split

    @classmethod
    def around(cls, dataset: Dataset) -> "NamedSamples":
        """The data set, wrapped unless it is wrapped already."""
        return dataset if isinstance(dataset, cls) else cls(dataset)

    @property
    def in_memory(self) -> bool:
        return in_memory(self.dataset)

    def at_epoch(self, seed: int, epoch: int) -> "NamedSamples":
        """The data set in a given epoch."""
        return NamedSamples(at_epoch(self.dataset, seed, epoch), self.split)

    def sample_name(self, index: int) -> str:
        """``sample 3 of split 'train' (c.png)``."""
        split = "" if self.split is None else f" of split {self.split!r}"
        own = sample_name(self.dataset, index)
        return f"sample {index}{split}" + ("" if own is None else f" ({own})")

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            # This is how Python notices the end of a sequence.
            raise IndexError(f"sample {index} of {len(self)}")
        with _naming(self, index):
            return self.dataset[index]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        batch = self._batch(indices)
        self._check_inputs(batch, indices)
        return batch

    def _batch(self, indices: Sequence[int]) -> Batch:
        try:
            return collate(read_many(self.dataset, indices))
        except Exception as error:
            if isinstance(error, SampleFault) or machine_failure(error) is not None:
                raise
            # Reading them one by one shows which sample cannot be read, or does not fit those before it.
            samples = [self[index] for index in indices]
            try:
                collate(samples, lambda row: self.sample_name(indices[row]))
            except InputError as fault:
                raise SampleFault(str(fault)) from fault
            with _naming(self, *indices):
                raise

    def _check_inputs(self, batch: Batch, indices: Sequence[int]) -> None:
        inputs = batch.inputs
        # The sum costs a tenth of the full test. Finite numbers may overflow in it, so an infinite sum proves nothing.
        if not (inputs.is_floating_point() or inputs.is_complex()) or bool(inputs.sum().isfinite()):
            return
        finite = inputs.isfinite().flatten(1).all(1) if inputs.dim() > 1 else inputs.isfinite()
        if bool(finite.all()):
            return
        row = int((~finite).nonzero()[0])
        kind = "NaN" if bool(inputs[row].isnan().any()) else "inf"
        where = self.sample_name(indices[row])
        raise SampleFault(f"data: {kind} in the input of {where}; replace such numbers, or leave the sample out")


def sample_name(dataset: Any, index: int) -> str | None:
    """The data set's own name of a sample, from its ``sample_name(index)``; None if it has no such method.

    Data sets inside torch's `Subset` and `ConcatDataset` are found; without names, the index inside is given.
    """
    if isinstance(dataset, Subset):
        inner = int(dataset.indices[index])
        return sample_name(dataset.dataset, inner) or f"sample {inner} before the split"
    if isinstance(dataset, ConcatDataset):
        part = next(i for i, end in enumerate(dataset.cumulative_sizes) if index < end)
        start = 0 if part == 0 else dataset.cumulative_sizes[part - 1]
        return sample_name(dataset.datasets[part], index - start) or f"sample {index - start} of part {part}"
    named = getattr(dataset, "sample_name", None)
    return None if named is None else named(index)


def in_memory(dataset: Any) -> bool:
    """Whether a data set, or the one inside torch's `Subset`, has a true attribute ``in_memory``."""
    if isinstance(dataset, Subset):
        return in_memory(dataset.dataset)
    return bool(getattr(dataset, "in_memory", False))


@contextmanager
def _naming(samples: NamedSamples, *indices: int) -> Iterator[None]:
    """Turn an error in one or several samples into a `SampleFault`; failures of the machine pass unchanged."""
    try:
        with as_input_errors("data"):
            yield
    except SampleFault:
        raise
    except InputError as error:
        where = samples.sample_name(indices[0])
        if len(indices) > 1:
            where = f"one of {len(indices)} samples; the first is {where}"
        raise SampleFault(f"{' '.join(str(error).splitlines())}; in {where}") from error
