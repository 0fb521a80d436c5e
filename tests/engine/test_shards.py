"""The parts of batches that processes share: together the batches of one process."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.data import MaskedTensors, batches
from nas.errors import InputError


class OneByOne:
    """A data set that does not lie in memory."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index]


def samples(size):
    inputs = torch.arange(float(size))[:, None]
    return MaskedTensors(inputs, {"t0": inputs}, {"t0": torch.arange(size) % 3 > 0})


def inputs_of(dataset, batch_size, shard=(0, 1), **fields):
    loader = batches(dataset, batch_size, seed=1, epoch=2, **fields, shard=shard)
    return [batch.inputs.flatten().tolist() for batch in loader]


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 30), st.booleans(), st.booleans())
def test_parts_are_the_batches_of_one_process_in_its_order(num_parts, times, size, drop_last, shuffle):
    batch_size = num_parts * times
    # What is left over is shared, too.
    size = batch_size + size // num_parts * num_parts
    fields = {"drop_last": drop_last, "shuffle": shuffle}
    whole = inputs_of(samples(size), batch_size, **fields)
    for dataset in (samples(size), OneByOne(samples(size))):
        parts = [inputs_of(dataset, batch_size, (part, num_parts), **fields) for part in range(num_parts)]
        assert len({len(batch) for part in parts for batch in part[:1]}) == 1
        assert [[value for row in rows for value in row] for rows in zip(*parts, strict=True)] == whole


@pytest.mark.parametrize(
    ("size", "batch_size", "words"),
    [(20, 9, "make batch_size a multiple of 2"), (5, 8, "cannot share the split's last batch of 5 samples")],
)
def test_batches_that_cannot_be_shared_fairly_are_refused(size, batch_size, words):
    with pytest.raises(InputError, match=words):
        inputs_of(samples(size), batch_size, (0, 2), drop_last=False, shuffle=True)
