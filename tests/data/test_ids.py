"""Shares that are taken for a split: disjoint, in order, decided by seed and name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.data.ids import require_disjoint, take_share
from nas.errors import InputError


@given(st.integers(2, 60), st.floats(0.01, 0.99), st.integers(0, 5))
def test_a_share_and_what_is_left_are_the_ids_in_their_order(number: int, share: float, seed: int) -> None:
    ids = [f"{i:03d}" for i in range(number)]
    num_taken = max(1, round(share * number))
    if num_taken == number:
        with pytest.raises(
            InputError, match=f"list: {number} ids are too few to take some of them for the split 'vali"
        ):
            take_share(ids, share, name="validation", seed=seed, where="list")
        return
    left, taken = take_share(ids, share, name="validation", seed=seed, where="list")
    assert sorted([*left, *taken]) == ids
    assert (list(left), list(taken)) == (sorted(left), sorted(taken))
    assert len(taken) == num_taken
    assert (left, taken) == take_share(ids, share, name="validation", seed=seed, where="list")


def test_seed_and_name_decide_the_share() -> None:
    ids = [str(i) for i in range(100)]
    taken = take_share(ids, 0.3, name="validation", seed=0, where="")[1]
    assert taken != take_share(ids, 0.3, name="validation", seed=1, where="")[1]
    assert taken != take_share(ids, 0.3, name="architecture", seed=0, where="")[1]


@pytest.mark.parametrize("share", [0, 1, -0.5, float("nan")])
def test_shares_of_all_or_nothing_are_refused(share: float) -> None:
    with pytest.raises(InputError, match=f"validation is the share of a split, above 0 and below 1; found {share:g}"):
        take_share(["a", "b"], share, name="validation", seed=0, where="list")


def test_an_id_in_two_splits_is_named() -> None:
    require_disjoint({"train": ["a", "b"], "test": ["c"]}, "list")
    with pytest.raises(InputError, match="list: 'b' is in 'train' and in 'test'; remove it from one of them"):
        require_disjoint({"train": ["a", "b"], "test": ["c", "b"]}, "list")
