"""Samples in memory: bulk equals one by one, and what is missing is never handed out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.data.batch import Batch, collate
from nas.data.tensors import MaskedTensors
from nas.errors import InputError

N = 6


def _data(kind_rows: list[bool], map_rows: list[bool]) -> MaskedTensors:
    labels = {"kind": torch.arange(N), "map": torch.arange(N * 4.0).reshape(N, 1, 2, 2), "full": torch.arange(N)}
    present = {"kind": torch.tensor(kind_rows), "map": torch.tensor(map_rows)}
    return MaskedTensors(torch.arange(N * 3.0).reshape(N, 3), labels, present)


def _assert_equal(a: Batch, b: Batch) -> None:
    assert torch.equal(a.inputs, b.inputs)
    for left, right in ((a.labels, b.labels), (a.present, b.present)):
        assert left.keys() == right.keys()
        assert all(torch.equal(left[task], right[task]) for task in left)


ROWS = st.lists(st.booleans(), min_size=N, max_size=N)


@given(kind=ROWS, maps=ROWS, indices=st.lists(st.integers(0, N - 1), min_size=1, max_size=8))
def test_a_batch_in_bulk_is_the_collated_samples(kind: list[bool], maps: list[bool], indices: list[int]) -> None:
    data = _data(kind, maps)
    _assert_equal(collate(data.__getitems__(indices)), collate([data[i] for i in indices]))


def test_a_sample_has_the_labels_that_are_there() -> None:
    data = _data([True] + [False] * 5, [False] * N)
    assert set(data[0][1]) == {"kind", "full"}
    assert set(data[1][1]) == {"full"}
    assert len(data) == N


def test_lengths_and_masks_are_checked() -> None:
    inputs, labels = torch.zeros(3, 2), {"kind": torch.zeros(3)}
    with pytest.raises(InputError, match=r"labels\['kind'\] has 2 rows for 3 samples"):
        MaskedTensors(inputs, {"kind": torch.zeros(2)})
    with pytest.raises(InputError, match=r"present\['kind'\] must be a boolean .* found torch.float32"):
        MaskedTensors(inputs, labels, {"kind": torch.ones(3)})
    with pytest.raises(InputError, match=r"\['kin'\], which have no labels"):
        MaskedTensors(inputs, labels, {"kin": torch.ones(3, dtype=torch.bool)})
