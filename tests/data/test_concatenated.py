import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import ConcatDataset, Subset
from toys import IN_FEATURES, ToyData, assert_same, names, toy_tasks

from nas.data import MaskedTensors, batches, collate
from nas.data.concatenated import ConcatenatedDataset

TASKS = toy_tasks(3)


def new_parts():
    """Sets of different sizes: in bulk, in bulk through torch's Subset, one by one, without a task, and empty."""
    first, second, third = (ToyData(TASKS, size, 0.4, seed).split("train") for seed, size in enumerate((7, 9, 5)))
    unlabelled = MaskedTensors(torch.full((3, IN_FEATURES), 9.0), {"t1": torch.zeros(3, 2)})
    empty = MaskedTensors(torch.zeros(0, IN_FEATURES), {})
    return [first, Subset(second, [4, 2, 8]), [third[i] for i in range(len(third))], unlabelled, empty]


@settings(deadline=None)
@given(st.data())
def test_a_batch_in_bulk_has_the_samples_of_the_parts_one_by_one(data):
    together, reference = ConcatenatedDataset(new_parts()), ConcatDataset(new_parts())
    assert len(together) == len(reference) == 7 + 3 + 5 + 3
    indices = data.draw(st.lists(st.integers(0, len(together) - 1), min_size=1, max_size=20))
    batch, expected = together.__getitems__(indices), collate([reference[i] for i in indices])
    assert_same(tuple(batch), tuple(expected))
    for i in indices:
        inputs, labels = together[i]
        assert torch.equal(inputs, reference[i][0])
        assert sorted(labels) == sorted(reference[i][1])


@pytest.mark.parametrize("index", [-19, 18])
def test_there_are_no_samples_beyond_the_ends(index):
    together = ConcatenatedDataset(new_parts())
    with pytest.raises((IndexError, ValueError)):
        together[index]


def test_it_lies_in_memory_if_its_parts_do():
    parts = new_parts()
    assert ConcatenatedDataset([parts[0], parts[1], parts[3]]).in_memory
    assert not ConcatenatedDataset([parts[0], parts[2]]).in_memory


def test_an_epoch_reaches_the_parts_each_with_a_seed_of_its_own():
    class PerEpoch:
        def __init__(self, value):
            self.value = value

        def at_epoch(self, seed, epoch):
            return PerEpoch(100 * (seed % 1_000_003) + epoch)

        def __len__(self):
            return 4

        def __getitem__(self, index):
            return torch.tensor([self.value]), {}

    def seen(epoch):
        loader = batches(
            ConcatenatedDataset([PerEpoch(0), PerEpoch(0)]), 8, seed=5, epoch=epoch, shuffle=False, drop_last=False
        )
        return next(iter(loader)).inputs.flatten().tolist()

    first, second = seen(0), seen(1)
    assert [value + 1 for value in first] == second
    assert len(set(first)) == 2
    assert first[0] == first[3] != first[4] == first[7]


def test_parts_are_asked_once_a_batch():
    asked = []

    class Counting(MaskedTensors):
        def __getitems__(self, indices):
            asked.append(list(indices))
            return super().__getitems__(indices)

        def __getitem__(self, index):
            raise AssertionError("one by one")

    labels = {name: torch.zeros(6, 2) for name in names(TASKS)}
    part = Counting(torch.zeros(6, IN_FEATURES), labels)
    ConcatenatedDataset([part, part]).__getitems__([0, 7, 3, 11])
    assert asked == [[0, 3], [1, 5]]
