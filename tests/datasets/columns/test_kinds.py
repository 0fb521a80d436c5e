"""What a column is taken for, its task, and its labels."""

import math
from pathlib import Path

import pytest
import torch

from nas.datasets.columns import Table, column_of, infer_kind, stated_kinds, task_name
from nas.errors import InputError


def table(cells, name="c"):
    return Table(Path("t.csv"), {name: cells}, range(2, len(cells) + 2))


def column(cells, kind=None, train=None, name="c"):
    return column_of(table(cells, name), name, kind, range(len(cells)) if train is None else train)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["0", "1", None, "1"], "yes_no"),
        (["Yes", "no", "YES"], "yes_no"),
        (["True", "False"], "yes_no"),
        (["1", "1", "1"], "classes"),
        (["-1", "0", "1"], "classes"),
        (["0", "1", "2", "4"], "classes"),
        (["0.0", "1.0", "2.0"], "classes"),
        ([str(i) for i in range(21)], "number"),
        (["0.5", "1"], "number"),
        (["1", "two"], "classes"),
        (["oak", None, "ash"], "classes"),
        (["inf", "1"], "classes"),
    ],
)
def test_a_column_is_inferred_from_its_cells(cells, kind):
    assert infer_kind(cells) == kind


def test_classes_are_sorted_as_numbers_or_as_texts():
    numbers = column(["10", "9", None, "2"])
    assert numbers.task.labels == ("2", "9", "10")
    assert [label if label is None else label.item() for label in numbers.labels] == [2, 1, None, 0]
    texts = column(["oak", "ash", "oak"])
    assert (texts.task.labels, texts.task.num_outputs) == (("ash", "oak"), 2)
    assert (texts.task.loss, texts.task.dense) == ("cross_entropy", False)


def test_classes_may_be_named_in_the_order_of_the_outputs():
    found = column(["low", None, "high"], ("low", "middle", "high"))
    assert (found.task.num_outputs, found.task.labels) == (3, ("low", "middle", "high"))
    assert [label if label is None else label.item() for label in found.labels] == [0, None, 2]
    with pytest.raises(InputError, match="line 3: column 'c' is 'top', which is none of its classes low, high"):
        column(["low", "top"], ["low", "high"])


def test_yes_and_no():
    found = column(["yes", "N", None, "1"])
    assert [label if label is None else label.tolist() for label in found.labels] == [[1.0], [0.0], None, [1.0]]
    with pytest.raises(InputError, match=r"t\.csv, line 3: column 'c' is 'maybe', neither yes nor no"):
        column(["yes", "maybe"], "yes_no")


def test_a_number_is_scaled_by_the_training_rows_and_keeps_its_unit():
    cells = ["1.0", "3.0", None, "1000.5"]
    found = column(cells, train=[0, 1, 2])
    assert (found.task.center, found.task.scale, found.task.weight) == (2.0, 1.0, 1.0)
    assert found.labels[3].tolist() == [1000.5]
    wide = column(["100.5", "300.5"])
    assert wide.task.scale == pytest.approx(100)
    # So the weighted loss of the mean is 1, whatever the unit.
    assert wide.task.weight * wide.task.scale**2 == pytest.approx(1)


def test_an_angle_is_its_cosine_and_sine():
    found = column(["0", "90", None, "-180"], "angle")
    expected = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    torch.testing.assert_close(torch.stack([label for label in found.labels if label is not None]), expected)
    assert found.task.num_outputs == 2
    assert math.isclose(float(found.labels[0].norm()), 1)


@pytest.mark.parametrize("name", ["type", "children", "half", "x" * 300, "5 o'clock", "名前", "weight (g)", "a.b"])
def test_any_name_of_a_column_becomes_that_of_a_task(name):
    assert column(["a", "b"], name=name).task.name == task_name(name)


def test_targets_are_columns_that_become_different_tasks():
    found = Table(Path("t.csv"), {"price": ["1"], "my kind": ["a"], "my-kind": ["b"]}, [2])
    assert stated_kinds(found, "price") == {"price": None}
    assert stated_kinds(found, {"price": "number"}) == {"price": "number"}
    for targets, words in (
        ([], "`targets` names no column"),
        (["height"], "there is no column 'height'"),
        (["my kind", "my-kind"], "columns 'my kind' and 'my-kind' would both be the task 'my_kind'"),
    ):
        with pytest.raises(InputError, match=words):
            stated_kinds(found, targets)


@pytest.mark.parametrize(
    ("cells", "kind", "words"),
    [
        ([None, None], None, "has no values"),
        (["a", "a"], None, "has a single value, 'a'"),
        ([f"name{i}" for i in range(12)], None, "are names, not classes"),
        (["1", "x"], "number", "line 3: column 'c' is 'x', not a finite number"),
        (["1.5", "1.5"], "number", "is 1.5 in all training rows"),
        (["1", "2"], "colour", "there is no kind 'colour'; known are classes, yes_no, number, angle, mask"),
    ],
)
def test_a_column_that_is_no_task_is_refused(cells, kind, words):
    with pytest.raises(InputError) as raised:
        column(cells, kind)
    assert "t.csv" in str(raised.value)
    assert words in str(raised.value)
