"""The order of an epoch follows from its seed and number alone."""

import errno
import math
import re
import signal
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import ConcatDataset, Subset

from nas.data.augmentation import Augmentation, Augmented
from nas.data.batch import Batch, Dataset, Sample, collate
from nas.data.concatenated import ConcatenatedDataset
from nas.data.loader import batches
from nas.data.named import NamedSamples, NamedSource, sample_name
from nas.data.seeds import derive_seed
from nas.data.splits import SplitSource
from nas.data.tensors import MaskedTensors
from nas.errors import InputError, machine_failure

NUMBERS = MaskedTensors(torch.arange(50), {"parity": torch.arange(50) % 2})


class OneByOne:
    """The same samples, without the bulk method."""

    def __len__(self) -> int:
        return len(NUMBERS)

    def __getitem__(self, index: int) -> Sample:
        return NUMBERS[index]


def _order(loader: Iterable[Batch]) -> list[list[int]]:
    return [batch.inputs.tolist() for batch in loader]


def _shuffled(seed: int = 0, epoch: int = 0, num_workers: int = 0) -> list[list[int]]:
    loader = batches(NUMBERS, 8, seed=seed, epoch=epoch, shuffle=True, drop_last=False, num_workers=num_workers)
    return _order(loader)


def test_an_epoch_is_a_permutation_that_seed_and_epoch_decide() -> None:
    first = _shuffled()
    assert sorted(chain.from_iterable(first)) == list(range(50))
    assert [len(batch) for batch in first] == [8] * 6 + [2]
    torch.rand(3)
    assert _shuffled() == first
    others = [_shuffled(epoch=1), _shuffled(seed=1), _shuffled(seed=1, epoch=1)]
    assert all(a != b for i, a in enumerate([first, *others]) for b in others[i:])


def test_going_through_it_again_gives_the_same_batches_and_leaves_the_ambient_generator_alone() -> None:
    loader = batches(NUMBERS, 8, seed=0, epoch=3, shuffle=True, drop_last=False)
    state = torch.get_rng_state()
    assert _order(loader) == _order(loader)
    assert torch.equal(torch.get_rng_state(), state)


def test_workers_do_not_change_the_order() -> None:
    assert _shuffled(num_workers=1) == _shuffled()


def test_bulk_and_single_samples_give_the_same_batches() -> None:
    arguments = {"seed": 2, "epoch": 0, "shuffle": True, "drop_last": True}
    for bulk, single in zip(batches(NUMBERS, 8, **arguments), batches(OneByOne(), 8, **arguments), strict=True):
        assert torch.equal(bulk.inputs, single.inputs)
        assert torch.equal(bulk.labels["parity"], single.labels["parity"])
        assert torch.equal(bulk.labels["parity"], bulk.inputs % 2)


def _partial(num_samples: int) -> MaskedTensors:
    """Labels that all, some and hardly any samples have."""
    generator = torch.Generator().manual_seed(num_samples)
    return MaskedTensors(
        torch.arange(num_samples),
        {task: torch.rand(num_samples, 2, generator=generator) for task in ("all", "few", "some")},
        {
            "few": torch.rand(num_samples, generator=generator) < 0.05,
            "some": torch.rand(num_samples, generator=generator) < 0.5,
        },
    )


def _one_by_one(dataset: Dataset) -> list[Sample]:
    return [dataset[index] for index in range(len(dataset))]


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("num_samples", [4, 7, 64, 65, 150])
def test_what_lies_in_memory_gives_the_batches_of_its_single_samples(num_samples: int, drop_last: bool) -> None:
    dataset = _partial(num_samples)
    # 16 batches are asked for at once: 64 samples.
    arguments = {"seed": 3, "epoch": 1, "shuffle": True, "drop_last": drop_last}
    found = list(batches(dataset, 4, **arguments))
    # A list of samples is a data set, which torch's loader asks for one by one.
    expected = list(batches(_one_by_one(dataset), 4, **arguments))
    assert len(found) == len(expected) == num_samples // 4 + (num_samples % 4 > 0 and not drop_last)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.inputs, other.inputs)
        for left, right in ((one.labels, other.labels), (one.present, other.present)):
            assert list(left) == list(right)
            assert all(torch.equal(left[task], right[task]) for task in left)


def test_parts_of_what_lies_in_memory_are_asked_for_in_bulk() -> None:
    asked = []

    class Counting(MaskedTensors):
        def __getitems__(self, indices: Sequence[int]) -> Batch:
            asked.append(len(indices))
            return super().__getitems__(indices)

    dataset = Counting(torch.arange(90), {"parity": torch.arange(90) % 2})
    order = [2 * i for i in range(40)]
    loader = batches(Subset(dataset, order), 2, seed=0, epoch=0, shuffle=False, drop_last=False)
    assert list(chain.from_iterable(_order(loader))) == order
    assert asked == [32, 8]


def test_a_data_set_in_memory_that_fails_is_told_in_one_line() -> None:
    class Failing(MaskedTensors):
        def __getitems__(self, indices: Sequence[int]) -> Batch:
            raise KeyError("depth")

    loader = batches(Failing(torch.arange(4), {}), 2, seed=0, epoch=0, shuffle=False, drop_last=False)
    message = r"^data: KeyError: 'depth' \(.*\); in one of 4 samples; the first is sample 0$"
    with pytest.raises(InputError, match=message):
        list(loader)


def test_without_shuffling_samples_keep_their_order_and_the_rest_can_be_dropped() -> None:
    loader = batches(NUMBERS, 8, seed=0, epoch=0, shuffle=False, drop_last=True)
    assert list(chain.from_iterable(_order(loader))) == list(range(48))


def test_batch_sizes_that_give_no_batch_are_refused() -> None:
    with pytest.raises(InputError, match="at least 1; found 0"):
        batches(NUMBERS, 0, seed=0, epoch=0, shuffle=True, drop_last=False)
    with pytest.raises(InputError, match="batch_size 51 is more than the 50 samples"):
        batches(NUMBERS, 51, seed=0, epoch=0, shuffle=True, drop_last=True)


def test_seeds_of_different_purposes_differ() -> None:
    purposes = [(0,), ("0",), (0, 0), (0, 1), (1, 0), ("a", "b"), ("ab",), ("a,b",), (10,), (1, 0, "")]
    seeds = [derive_seed(*parts) for parts in purposes]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    # Pinned, so that a resumed run on another machine or version sees the same data.
    assert derive_seed("batches", 0, 0) == 5446010815100379146


class _Broken(OneByOne):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getitem__(self, index: int) -> Sample:
        if index == 13:
            raise self.error
        return super().__getitem__(index)


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("13.png: no picture"), r"^13\.png: no picture; in sample 13$"),
        (KeyError("depth"), rf"^data: KeyError: 'depth' \({__file__}:\d+\); in sample 13$"),
        (
            OSError(2, "No such file", "13.png"),
            rf"^data: FileNotFoundError: .*'13\.png' \({__file__}:\d+\); in sample 13$",
        ),
    ],
)
def test_what_a_data_set_raises_is_told_in_one_line(error: Exception, words: str, num_workers: int) -> None:
    loader = batches(_Broken(error), 8, seed=0, epoch=0, shuffle=False, drop_last=False, num_workers=num_workers)
    with pytest.raises(InputError, match=words):
        list(loader)


class _Returning(OneByOne):
    """Sample 13 is another one."""

    def __init__(self, sample: Any) -> None:
        self.sample = sample

    def __getitem__(self, index: int) -> Sample:
        given: Sample = (torch.zeros(3), {"size": torch.zeros(1)}) if index != 13 else self.sample
        return given

    def sample_name(self, index: int) -> str:
        return f"{index}.png"


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ((torch.zeros(4), {}), r"the input of {13} has shape \[4\], that of {8} \[3\]; .*make every input alike"),
        ((torch.zeros(3), {"size": torch.zeros(2)}), r"the label of size of {13} has shape \[2\], that of {8} \[1\]"),
        ((torch.zeros(3), {"size": 1.0}), "the label of size of {13} must be a tensor; found float"),
        (([0.0] * 3, {}), "the input of {13} must be a tensor; found list"),
        (torch.zeros(3), r"{13} must be a pair \(input, labels by task\); found Tensor"),
        (None, r"{13} must be a pair \(input, labels by task\); found NoneType"),
        ((torch.tensor([0, math.nan, 0]), {}), "NaN in the input of {13}; "),
        ((torch.tensor([0, -math.inf, 0]), {}), "inf in the input of {13}; "),
    ],
)
def test_a_sample_that_no_batch_takes_is_named(sample: Any, words: str, num_workers: int) -> None:
    for number in ("8", "13"):
        words = words.replace(f"{{{number}}}", rf"sample {number} of split 'test' \({number}\.png\)")
    dataset = NamedSamples(_Returning(sample), "test")
    loader = batches(dataset, 8, seed=0, epoch=0, shuffle=False, drop_last=False, num_workers=num_workers)
    with pytest.raises(InputError, match=f"^data: {words}"):
        list(loader)


def test_large_numbers_are_finite() -> None:
    # Their sum is not.
    samples = [(torch.full((4,), 3e38), {})] * 4
    (batch,) = batches(samples, 4, seed=0, epoch=0, shuffle=False, drop_last=False)
    assert batch.inputs.isfinite().all()


def test_the_name_of_a_sample_is_found_through_what_is_around_its_data_set() -> None:
    class Photos(OneByOne):
        def sample_name(self, index: int) -> str:
            return f"{index}.png"

    photos: Any = Photos()
    part = Subset(photos, [5, 7, 40])
    for dataset in (part, ConcatDataset([Subset(photos, [1]), part])):
        assert sample_name(dataset, len(dataset) - 1) == "40.png"
    assert sample_name(Augmented(part, Augmentation((), {})), 1) == "7.png"  # type: ignore[arg-type]
    assert sample_name(Subset(OneByOne(), [9]), 0) == "sample 9 before the split"  # type: ignore[arg-type]
    assert sample_name(OneByOne(), 3) is None
    named = NamedSource(SplitSource(photos, photos, seed=1)).split("validation")
    assert re.fullmatch(r"sample 2 of split 'validation' \(\d+\.png\)", named.sample_name(2))
    joined = ConcatenatedDataset([NamedSamples(photos, "train"), NamedSamples(part, "architecture")])  # type: ignore[arg-type]
    assert sample_name(joined, 51) == "sample 1 of split 'architecture' (7.png)"


def test_a_fault_in_bulk_is_that_of_one_sample() -> None:
    class Bulk(_Broken):
        def __getitems__(self, indices: Sequence[int]) -> Batch:
            return collate([self[index] for index in indices])

    dataset = ConcatenatedDataset([NamedSamples(Bulk(KeyError("depth")), "train")])
    with pytest.raises(InputError, match=r"^data: KeyError: 'depth' \(.*\); in sample 13 of split 'train'$"):
        list(batches(dataset, 50, seed=0, epoch=0, shuffle=False, drop_last=False))


def test_named_samples_are_a_sequence_that_ends() -> None:
    assert [int(image) for image, _ in NamedSamples(OneByOne())] == list(range(50))


@pytest.fixture
def impatient() -> Iterator[None]:
    """A loader that waits for a batch for ever is a failure."""

    def fail(*_: object) -> None:
        raise TimeoutError("no batch came")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("impatient")
def test_a_full_shared_memory_is_told_instead_of_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(storage: Any, *_: object) -> None:
        raise RuntimeError(
            "unable to allocate shared memory(shm) for file </torch_1_2_3>: No space left on device (28)"
        )

    monkeypatch.setattr(torch.UntypedStorage, "_share_fd_cpu_", full)
    with pytest.raises(RuntimeError, match="unable to allocate shared memory") as caught:
        _shuffled(num_workers=1)
    assert re.match("/dev/shm is full; .* Lower num_workers", str(machine_failure(caught.value)))


def test_a_worker_that_the_system_ends_for_shared_memory_is_told() -> None:
    bus = RuntimeError(
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers are out of "
        "shared memory. Please try to raise your shared memory limit."
    )
    assert "/dev/shm is full" in str(machine_failure(bus))
    locks = OSError(errno.ENOSPC, "No space left on device", "/dev/shm")
    assert "Lower num_workers" in str(machine_failure(locks))


@pytest.mark.usefixtures("impatient")
def test_workers_find_a_folder_for_their_sockets_where_tmpdir_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert _shuffled(num_workers=1) == _shuffled()
    assert not list(folder.iterdir())
