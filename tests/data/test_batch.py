"""Cutting and reordering batches is the same as collating the samples anew."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.data.batch import Batch, collate, cut, reordered, uncollate
from nas.data.tensors import MaskedTensors

N = 7
ROWS = st.lists(st.booleans(), min_size=N, max_size=N)


def _batch(kind_rows: list[bool], map_rows: list[bool]) -> Batch:
    labels = {"full": torch.arange(N), "kind": torch.arange(N), "map": torch.arange(N * 4.0).reshape(N, 1, 2, 2)}
    present = {"kind": torch.tensor(kind_rows), "map": torch.tensor(map_rows)}
    return MaskedTensors(torch.arange(N * 3.0).reshape(N, 3), labels, present).__getitems__(range(N))


def assert_same_batch(a: Batch, b: Batch) -> None:
    assert torch.equal(a.inputs, b.inputs)
    for left, right in ((a.labels, b.labels), (a.present, b.present)):
        assert list(left) == list(right)
        assert all(torch.equal(left[task], right[task]) for task in left)


@given(kind=ROWS, maps=ROWS, size=st.integers(1, N + 1))
def test_pieces_of_a_batch_are_its_samples_collated(kind: list[bool], maps: list[bool], size: int) -> None:
    batch = _batch(kind, maps)
    samples = uncollate(batch)
    pieces = list(cut(batch, size))
    assert len(pieces) == -(-N // size)
    for i, piece in enumerate(pieces):
        assert_same_batch(piece, collate(samples[i * size : (i + 1) * size]))


@given(kind=ROWS, maps=ROWS, order=st.permutations(range(N)))
def test_a_reordered_batch_is_its_samples_collated(kind: list[bool], maps: list[bool], order: list[int]) -> None:
    batch = _batch(kind, maps)
    samples = uncollate(batch)
    assert_same_batch(reordered(batch, torch.tensor(order)), collate([samples[i] for i in order]))


@pytest.mark.parametrize("size", [1, 3, N])
def test_pieces_are_views(size: int) -> None:
    batch = _batch([True] * N, [True] * N)
    for piece in cut(batch, size):
        assert piece.inputs.untyped_storage().data_ptr() == batch.inputs.untyped_storage().data_ptr()
        assert piece.labels["map"].untyped_storage().data_ptr() == batch.labels["map"].untyped_storage().data_ptr()
