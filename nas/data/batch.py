"""Samples, batches and splits: the types that every data source uses.

A *sample* is an input and its labels by task; a task without an entry has no label on that sample. A *batch* keeps,
for each task, the existing labels only and the rows that they belong to, so a missing label has no value that could
enter a loss.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from nas.errors import InputError, no_such

SplitName = Literal["train", "architecture", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "architecture", "validation", "test")

Sample = tuple[Tensor, Mapping[str, Tensor]]

Split = TypeVar("Split")


class Batch(NamedTuple):
    """B inputs and, for each task, its n_t <= B existing labels.

    ``labels[task]`` is [n_t, ...]; ``present[task]`` is a boolean [B] with n_t true entries, in the same order.
    """

    inputs: Tensor
    labels: dict[str, Tensor]
    present: dict[str, Tensor]

    def to(self, device: torch.device) -> "Batch":
        return Batch(
            self.inputs.to(device, non_blocking=True),
            {task: label.to(device, non_blocking=True) for task, label in self.labels.items()},
            {task: rows.to(device, non_blocking=True) for task, rows in self.present.items()},
        )


class Dataset(Protocol):
    """A torch map-style data set of samples. The loader also uses these optional members:

    - ``__getitems__(indices) -> Batch`` reads many samples at once, in the order of the indices;
    - ``in_memory``, if true, lets the loader read several batches at once and cut them;
    - ``at_epoch(seed, epoch) -> Dataset`` gives the samples of an epoch, if they differ between epochs;
    - ``sample_name(index) -> str``, such as a file name, identifies a sample in messages.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class DataSource(Protocol):
    """Four disjoint splits: weights are trained on "train", logits on "architecture", epochs are chosen on
    "validation", and "test" is used once."""

    def split(self, name: SplitName) -> Dataset: ...


def find_split(splits: Mapping[Any, Split], name: str) -> Split:
    """The split of a name; InputError listing the known ones."""
    if name not in splits:
        raise InputError(no_such("split", name, SPLITS))
    return splits[name]


def read_many(dataset: Dataset, indices: Sequence[int]) -> Sequence[Sample] | Batch:
    """The samples of these indices: in one call if the data set has ``__getitems__``, otherwise one by one."""
    in_bulk = getattr(dataset, "__getitems__", None)
    found: Sequence[Sample] | Batch = [dataset[index] for index in indices] if in_bulk is None else in_bulk(indices)
    return found


_SIGNED = {torch.uint16: torch.int32, torch.uint32: torch.int64, torch.uint64: torch.int64}


def collate(samples: Sequence[Sample] | Batch, name: Callable[[int], str] | None = None) -> Batch:
    """Stack samples into a batch; a batch made in bulk by ``__getitems__`` passes through.

    Labels of uint16, uint32 and uint64, which torch cannot compare or compute with, become signed ones.

    Args:
        name: gives the name of a sample in messages, from its position in ``samples``; by default "sample 3 of the
            batch".

    Raises:
        InputError: a sample is not a pair of a tensor and labels, or inputs or labels differ in shape.
    """
    if isinstance(samples, Batch):
        return samples._replace(labels={task: signed(label) for task, label in samples.labels.items()})
    try:
        tasks = sorted({task for _, labels in samples for task in labels})
        return Batch(
            torch.stack([image for image, _ in samples]),
            {task: signed(torch.stack([labels[task] for _, labels in samples if task in labels])) for task in tasks},
            {task: torch.tensor([task in labels for _, labels in samples]) for task in tasks},
        )
    except (TypeError, ValueError, RuntimeError, AttributeError):
        # Samples are checked only after a failure, because the checks take as long as the stacking.
        _require_samples(samples, name or "sample {} of the batch".format)
        raise


def signed(labels: Tensor) -> Tensor:
    """Labels of uint16, uint32 or uint64 in a signed type; other labels unchanged."""
    return labels.to(_SIGNED[labels.dtype]) if labels.dtype in _SIGNED else labels


def _require_samples(samples: Sequence[Any], name: Callable[[int], str]) -> None:
    """InputError naming the first sample that cannot be stacked with those before it."""
    first: dict[str, tuple[int, torch.Size]] = {}
    for row, sample in enumerate(samples):
        if not isinstance(sample, tuple | list) or len(sample) != 2 or not isinstance(sample[1], Mapping):
            raise InputError(f"data: {name(row)} must be a pair (input, labels by task); found {type(sample).__name__}")
        image, labels = sample
        for what, value in (("input", image), *((f"label of {task}", label) for task, label in labels.items())):
            if not isinstance(value, Tensor):
                raise InputError(f"data: the {what} of {name(row)} must be a tensor; found {type(value).__name__}")
            earlier, shape = first.setdefault(what, (row, value.shape))
            if value.shape != shape:
                raise InputError(
                    f"data: the {what} of {name(row)} has shape {list(value.shape)}, that of {name(earlier)} "
                    f"{list(shape)}; a batch needs one shape: {_remedy(what, value, image)}"
                )


def _remedy(what: str, value: Tensor, image: Tensor) -> str:
    is_map = value.dim() >= 2 and value.shape[-2:] == image.shape[-2:]
    if is_map and image.dim() == 3:
        return "give pictures one size by Resize or Letterbox (nas.data.augmentation), which resize their labels, too"
    return f"make every {what} alike, or leave out the label" if what != "input" else "make every input alike"


def uncollate(batch: Batch) -> list[Sample]:
    """Split a batch into its samples, the inverse of `collate`."""
    rows = {task: iter(label) for task, label in batch.labels.items()}
    present = {task: where.tolist() for task, where in batch.present.items()}
    return [
        (image, {task: next(rows[task]) for task in rows if present[task][row]})
        for row, image in enumerate(batch.inputs)
    ]


def cut(batch: Batch, size: int) -> Iterator[Batch]:
    """Cut a batch into batches of ``size`` consecutive rows; the last one may be smaller.

    Each equals what `collate` makes of its samples, but nothing is copied: its tensors are views.
    """
    ends = [*range(size, len(batch.inputs), size), len(batch.inputs)]
    # Where the labels of each piece end among the existing labels.
    label_ends = {
        task: ends if len(batch.labels[task]) == len(present) else present.cumsum(0)[[end - 1 for end in ends]].tolist()
        for task, present in batch.present.items()
    }
    start, label_starts = 0, dict.fromkeys(label_ends, 0)
    for i, end in enumerate(ends):
        found = {task: (label_starts[task], task_ends[i]) for task, task_ends in label_ends.items()}
        present_tasks = [task for task, (first, last) in found.items() if first < last]
        yield Batch(
            batch.inputs[start:end],
            {task: batch.labels[task][slice(*found[task])] for task in present_tasks},
            {task: batch.present[task][start:end] for task in present_tasks},
        )
        start, label_starts = end, {task: last for task, (_, last) in found.items()}


def reordered(batch: Batch, order: Tensor) -> Batch:
    """A batch with its rows in another order; ``order`` [B] is a permutation."""
    labels, present = {}, {}
    for task, rows in batch.present.items():
        present[task] = rows[order]
        # For each row, the position of its label among the existing ones.
        places = rows.cumsum(0) - 1
        labels[task] = batch.labels[task][places[order[present[task]]]]
    return Batch(batch.inputs[order], labels, present)
