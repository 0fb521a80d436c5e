"""Rows are divided once, and groups stay together."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.data import SPLITS
from nas.datasets.columns import Table, split_rows
from nas.errors import InputError


def table(**columns):
    return Table(Path("t.csv"), columns, range(2, len(next(iter(columns.values()))) + 2))


@given(num=st.integers(10, 80), num_groups=st.integers(10, 40), seed=st.integers(0, 5))
def test_every_row_is_in_one_split_and_groups_are_whole(num, num_groups, seed):
    groups = [str(i % num_groups) for i in range(num)]
    rows = split_rows(table(g=groups), split=None, group="g", seed=seed)
    assert sorted(row for found in rows.values() for row in found) == list(range(num))
    assert all(rows[name] for name in SPLITS)
    owners = {}
    for name, found in rows.items():
        for row in found:
            assert owners.setdefault(groups[row], name) == name


def test_shares_without_a_column():
    rows = split_rows(table(a=["x"] * 1000), split=None, group=None, seed=0)
    assert {name: len(found) for name, found in rows.items()} == {
        "train": 500, "architecture": 150, "validation": 150, "test": 200,
    }  # fmt: skip
    assert rows != split_rows(table(a=["x"] * 1000), split=None, group=None, seed=1)
    assert rows == split_rows(table(a=["x"] * 1000), split=None, group=None, seed=0)


def test_a_column_of_splits_is_kept_and_the_rest_cut_from_its_training_rows():
    column = ["Train"] * 80 + ["val"] * 10 + ["TEST"] * 10
    rows = split_rows(table(s=column), split="s", group=None, seed=0)
    assert (rows["validation"], rows["test"]) == (tuple(range(80, 90)), tuple(range(90, 100)))
    assert (len(rows["train"]), len(rows["architecture"])) == (62, 18)
    both = split_rows(table(s=["train"] * 90 + ["test"] * 10), split="s", group=None, seed=0)
    assert {name: len(found) for name, found in both.items()} == {
        "train": 56, "architecture": 17, "validation": 17, "test": 10,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"s": ["train", "holdout"]}, "line 3: column 's' is 'holdout'; it must be train, validation or test"),
        ({"s": ["train", None]}, "line 3: column 's' is empty"),
        ({"s": ["train", "test"], "g": ["a", "a"]}, "line 3: g 'a' is in the splits train and test"),
        ({"s": ["train", "test"]}, "leave none for the split"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(columns, words):
    with pytest.raises(InputError) as raised:
        split_rows(table(**columns), split="s", group="g" if "g" in columns else None, seed=0)
    assert words in str(raised.value)
