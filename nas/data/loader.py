"""Batches of a data set, in an order that can be made again."""

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
from nas.data.seeds import derive_seed
from nas.errors import SHARED_MEMORY, InputError, as_input_errors, machine_failure
from nas.files import folder_for_sockets

_BATCHES_AT_ONCE = 16
"""What is asked of a data set in memory at once: enough that picking rows costs little a batch, and few copies."""


def batches(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    shuffle: bool,
    drop_last: bool,
    num_workers: int = 0,
    pin_memory: bool = False,
    shard: tuple[int, int] = (0, 1),
) -> Iterable[Batch]:
    """One epoch's batches.

    The order is a function of (seed, epoch) alone, not of what was drawn before nor of the number of workers, so a
    search that resumes at epoch 7 sees what it would have seen. So are the samples of an augmented data set
    (`nas.data.epoch`), and the seeds of the workers for one that draws from torch's own generator.

    Args:
        dataset: map-style; ``__getitems__`` is used where it exists.
        batch_size: B, at least 1.
        seed: of the trial.
        epoch: counts from 0.
        shuffle: whether to mix the samples; in their own order otherwise.
        drop_last: whether to leave out a last batch of fewer than B samples.
        num_workers: processes that load samples; 0 loads them here.
        pin_memory: whether to put the batches into page-locked memory, from where copies to a GPU overlap with work.
        shard: which part of every batch is wanted, of how many equal ones, each B / parts samples: the parts together
            are the batches that one process would have.

    Raises:
        InputError: a batch size below 1, no full batch in the data set although only full ones are wanted, or a batch
            that cannot be cut into the parts. While iterating: whatever the data set raises for a sample, also in a
            worker, or samples that do not stack.
    """
    num_samples = len(dataset)
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1; found {batch_size}")
    if drop_last and num_samples < batch_size:
        raise InputError(
            f"batch_size {batch_size} is more than the {num_samples} samples of the split; make it smaller"
        )
    generator = torch.Generator().manual_seed(derive_seed("batches", seed, epoch))
    order = torch.randperm(num_samples, generator=generator).tolist() if shuffle else range(num_samples)
    dataset = NamedSamples.around(dataset).at_epoch(seed, epoch)
    part, num_parts = shard
    if num_parts > 1:
        order = _part(order[: num_samples - num_samples % batch_size] if drop_last else order, batch_size, shard)
        batch_size //= num_parts
        if part:
            # Of the seeds of the workers: those of the first part are one process'.
            generator.manual_seed(derive_seed("batches", seed, epoch, part))
    if num_workers == 0 and not pin_memory and in_memory(dataset):
        return _MemoryLoader(dataset, batch_size, order[: len(order) - len(order) % batch_size] if drop_last else order)
    return _Loader(
        # torch asks for its own class, and needs no more than our protocol
        dataset,  # type: ignore[arg-type]
        batch_size,
        sampler=order,
        drop_last=drop_last,
        num_workers=num_workers,
        # of a data set that gives batches in bulk, these are what torch's loader has to collate
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
            f"{num_parts} processes cannot share a batch of {left} samples equally, which is what the split has left; "
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
    """The batches of a data set that lies in memory: the same as torch's loader would make, at a tenth of its cost."""

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
    """The batch; in a worker, in the shared memory that it has to go through.

    Left to the queue of a worker, a full /dev/shm would be told on standard error alone, and the batch waited for for
    ever.
    """
    if get_worker_info() is not None:
        for tensor in (batch.inputs, *batch.labels.values(), *batch.present.values()):
            if tensor.device.type == "cpu":
                tensor.share_memory_()  # type: ignore[no-untyped-call]
    return batch


def _keep_sockets_short(worker: int) -> None:
    """Choose the folder of a worker's sockets. Where their paths are too long, its batches are waited for for ever."""
    usual = tempfile.gettempdir()
    try:
        tempfile.tempdir = folder_for_sockets(usual, _ROOM_FOR_SOCKETS)
        # It is made once, and kept.
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
            told = _told_by_worker(error)
            if told is None:
                raise
            # The frames hold the workers in a cycle, and torch waits 5 seconds for each that the collector finds.
            for failure in (error, error.__cause__):
                traceback.clear_frames(failure.__traceback__ if failure is not None else None)
        raise told

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


def _told_by_worker(error: Exception) -> Exception | None:
    """What comes from a worker has the text of its whole traceback, whose end says what was wrong, and where."""
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
