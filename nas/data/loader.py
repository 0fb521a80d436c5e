"""Batches of a data set, in a reproducible order."""

import errno
import multiprocessing.util
import re
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, get_worker_info

from nas.data.batch import Batch, Dataset, collate, cut
from nas.data.named import NamedSamples, SampleFault, in_memory
from nas.data.seeds import derive_seed, seeded_generator
from nas.engine.sockets import folder_for_sockets
from nas.errors import SHARED_MEMORY, InputError, as_input_errors, machine_failure

_BATCHES_AT_ONCE = 16
"""Batches read at once from a data set in memory: many, so that indexing is cheap per batch; few, to save memory."""


def batches(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    shuffle: bool,
    drop_last: bool | None = None,
    num_workers: int = 0,
    pin_memory: bool = False,
    shard: tuple[int, int] = (0, 1),
) -> Iterable[Batch]:
    """One epoch's batches.

    The order depends only on (seed, epoch), not on earlier random numbers or the number of workers, so a search that
    resumes at epoch 7 sees what an uninterrupted one would have seen. The same holds for the samples of an augmented
    data set (`nas.data.epoch`), and for the workers' seeds of torch's global generator.

    Args:
        dataset: map-style; ``__getitems__`` is used where it exists.
        batch_size: B, at least 1.
        seed: of the trial.
        epoch: counts from 0.
        shuffle: whether to shuffle the samples.
        drop_last: whether to leave out a last batch of fewer than B samples, which may have a single sample and then no
            batch statistics. By default it is left out if there are full ones.
        num_workers: processes that load samples; 0 loads them in this process.
        pin_memory: whether to put batches into page-locked memory, so that copies to a GPU overlap with computation.
        shard: (index, number of parts): yield only this part of every batch, B / parts samples. The parts together
            are the batches that one process would get.

    Raises:
        InputError: the batch size is below 1, ``drop_last`` leaves no batch, or a batch cannot be cut into equal parts.
            While iterating: the data set raises for a sample, also in a worker, or samples cannot be stacked.
    """
    num_samples = len(dataset)
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1; found {batch_size}")
    if drop_last is None:
        drop_last = num_samples > batch_size
    if drop_last and num_samples < batch_size:
        raise InputError(
            f"batch_size {batch_size} is more than the {num_samples} samples of the split; make it smaller"
        )
    generator = seeded_generator("batches", seed, epoch)
    order = torch.randperm(num_samples, generator=generator).tolist() if shuffle else range(num_samples)
    dataset = NamedSamples.around(dataset).at_epoch(seed, epoch)
    part, num_parts = shard
    if num_parts > 1:
        order = _part(order[: num_samples - num_samples % batch_size] if drop_last else order, batch_size, shard)
        batch_size //= num_parts
        if part:
            # Workers of the first part get the seeds that a single process would give them.
            generator.manual_seed(derive_seed("batches", seed, epoch, part))
    if num_workers == 0 and not pin_memory and in_memory(dataset):
        return _MemoryLoader(dataset, batch_size, order[: len(order) - len(order) % batch_size] if drop_last else order)
    return _Loader(
        # torch's annotation names its own class, but our protocol is enough.
        dataset,  # type: ignore[arg-type]
        batch_size,
        sampler=order,
        drop_last=drop_last,
        num_workers=num_workers,
        # The data set returns whole batches, so there is nothing left to collate.
        collate_fn=_ready,  # type: ignore[arg-type]
        pin_memory=pin_memory,
        generator=generator,
        worker_init_fn=_keep_sockets_short,
    )


def _part(order: Sequence[int], batch_size: int, shard: tuple[int, int]) -> list[int]:
    """The samples of one part of every batch, batch by batch."""
    part, num_parts = shard
    if batch_size % num_parts:
        raise InputError(
            f"{num_parts} processes cannot share batches of {batch_size} samples equally; "
            f"make batch_size a multiple of {num_parts}"
        )
    if (left := len(order) % batch_size) % num_parts:
        raise InputError(
            f"{num_parts} processes cannot share the split's last batch of {left} samples equally; "
            f"lower batch_size below its {len(order)} samples"
        )
    ends = [min(start + batch_size, len(order)) for start in range(0, len(order), batch_size)]
    chosen: list[int] = []
    for i, end in enumerate(ends):
        start = i * batch_size
        size = (end - start) // num_parts
        chosen += order[start + part * size : start + (part + 1) * size]
    return chosen


@dataclass(frozen=True)
class _MemoryLoader:
    """The batches of a data set in memory: those of torch's loader, at a tenth of its cost."""

    dataset: Any
    batch_size: int
    order: Sequence[int]

    def __iter__(self) -> Iterator[Batch]:
        step = self.batch_size * _BATCHES_AT_ONCE
        for start in range(0, len(self.order), step):
            with as_input_errors("data"):
                found = collate(self.dataset.__getitems__(self.order[start : start + step]))
            yield from cut(found, self.batch_size)


def _ready(batch: Batch) -> Batch:
    """The batch; in a worker, moved to shared memory, through which it reaches the main process.

    If the worker's queue moved it, a full /dev/shm would be reported on standard error only, and the main process would
    wait forever.
    """
    if get_worker_info() is not None:
        for tensor in (batch.inputs, *batch.labels.values(), *batch.present.values()):
            if tensor.device.type == "cpu":
                tensor.share_memory_()  # type: ignore[no-untyped-call]
    return batch


def _keep_sockets_short(worker: int) -> None:
    """Choose the folder of a worker's sockets: if their paths are too long, the main process waits forever."""
    usual = tempfile.gettempdir()
    try:
        tempfile.tempdir = folder_for_sockets(usual, _ROOM_FOR_SOCKETS)
        # The folder is made once and remembered.
        multiprocessing.util.get_temp_dir()
    finally:
        tempfile.tempdir = usual


_ROOM_FOR_SOCKETS = len("/pymp-01234567/listener-01234567")


class _Loader(DataLoader[Any]):
    def __iter__(self) -> Any:
        try:
            with as_input_errors("data"):
                yield from self._started()
            return
        except Exception as error:
            worker_error = _error_from_worker(error)
            if worker_error is None:
                raise
            # The frames keep the workers in a reference cycle, and torch waits 5 seconds for each collected one.
            for failure in (error, error.__cause__):
                traceback.clear_frames(failure.__traceback__ if failure is not None else None)
        raise worker_error

    def _started(self) -> Iterator[Batch]:
        try:
            if self.num_workers:
                # torch's iterator, once it has failed to make its locks, prints a traceback when it is collected.
                multiprocessing.Lock()
            return super().__iter__()
        except OSError as error:
            if error.errno != errno.ENOSPC or not self.num_workers:
                raise
            raise OSError(error.errno, error.strerror, SHARED_MEMORY) from error


def _error_from_worker(error: Exception) -> Exception | None:
    """The error that a worker raised, read from its traceback's text; None if the error is not from a worker."""
    text = str(error.__cause__ or error)
    if "Original Traceback" not in text:
        return None
    last = text.rstrip().splitlines()[-1]
    name, _, message = last.partition(": ")
    if machine_failure(error) is not None:
        return type(error)(message)
    if name in _OURS:
        return InputError(message)
    file, line = re.findall(r'File "(.+)", line (\d+)', text)[-1]
    return InputError(f"data: {last} ({file}:{line})")


_OURS = {f"{kind.__module__}.{kind.__qualname__}" for kind in (InputError, SampleFault)}
