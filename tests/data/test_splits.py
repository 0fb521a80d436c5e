"""Splits are disjoint, complete and reproducible."""

from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.data.batch import SPLITS
from nas.data.loader import batches
from nas.data.splits import SplitSource, split_indices
from nas.data.tensors import MaskedTensors
from nas.errors import InputError

TRAIN = MaskedTensors(torch.arange(101), {"parity": torch.arange(101) % 2})
TEST = MaskedTensors(torch.arange(200, 220), {"parity": torch.zeros(20)})


@given(n=st.integers(0, 200), weights=st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any))
def test_parts_are_disjoint_complete_and_of_the_size_asked_for(n: int, weights: list[int]) -> None:
    shares = {f"part{i}": weight / sum(weights) for i, weight in enumerate(weights)}
    parts = split_indices(n, shares, seed=3)
    assert sorted(chain.from_iterable(parts.values())) == list(range(n))
    for name, share in shares.items():
        # Both ends of a part are rounded, each by at most a half; the rest is floating point.
        assert abs(len(parts[name]) - share * n) <= 1 + 1e-9
        assert share > 0 or not parts[name]


def test_the_seed_decides() -> None:
    shares = {"a": 0.5, "b": 0.5}
    assert split_indices(40, shares, seed=1) == split_indices(40, shares, seed=1)
    assert split_indices(40, shares, seed=1) != split_indices(40, shares, seed=2)


@pytest.mark.parametrize("shares", [{}, {"a": 0.5, "b": 0.4}, {"a": 1.5, "b": -0.5}])
def test_shares_must_be_shares(shares: dict[str, float]) -> None:
    with pytest.raises(InputError, match=">= 0 and sum to 1"):
        split_indices(10, shares, seed=0)


def test_a_source_from_a_training_and_a_test_set() -> None:
    source = SplitSource(TRAIN, TEST, architecture=0.2, validation=0.1, seed=0)
    numbers = {}
    for name in SPLITS:
        loader = batches(source.split(name), 16, seed=0, epoch=0, shuffle=True, drop_last=False)
        numbers[name] = sorted(chain.from_iterable(batch.inputs.tolist() for batch in loader))
    assert {name: len(part) for name, part in numbers.items()} == {
        "train": 71,
        "architecture": 20,
        "validation": 10,
        "test": 20,
    }
    assert sorted(numbers["train"] + numbers["architecture"] + numbers["validation"]) == list(range(101))
    assert numbers["test"] == list(range(200, 220))


def test_bad_shares_and_names_are_refused() -> None:
    with pytest.raises(InputError, match=r"found 0.6 and 0.4"):
        SplitSource(TRAIN, TEST, architecture=0.6, validation=0.4)
    for shares in ({"architecture": 0}, {"validation": 0}, {"architecture": -0.1}, {"validation": float("nan")}):
        with pytest.raises(InputError, match=r"SplitSource: architecture and validation must be shares above 0"):
            SplitSource(TRAIN, TEST, **shares)
    with pytest.raises(InputError, match=r"no split 'val'; known are train, architecture, validation, test"):
        SplitSource(TRAIN, TEST).split("val")  # type: ignore[arg-type]


@pytest.mark.parametrize(("num_samples", "empty"), [(2, "validation"), (4, "validation"), (0, "train")])
def test_a_training_set_too_small_to_cut_is_refused_with_the_split(num_samples: int, empty: str) -> None:
    few = MaskedTensors(torch.arange(num_samples), {})
    with pytest.raises(InputError, match=rf"none of {num_samples} training samples .* split '{empty}'"):
        SplitSource(few, TEST)
