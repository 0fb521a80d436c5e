"""What the columns of a table are taken for."""

from pathlib import Path

import pytest

from nas.datasets.columns import Table
from nas.errors import InputError
from nas.templates.roles import find_roles


def table(**columns):
    return Table(Path("t.csv"), columns, range(2, 2 + len(next(iter(columns.values())))))


NUMBERS = [f"{i}.5" for i in range(40)]


def test_columns_become_tasks_by_what_their_cells_hold():
    kinds, ill, stars = ["a", "b"] * 20, ["yes", "no"] * 20, ["1", "2", "3", "4"] * 10
    roles = find_roles(table(kind=kinds, ill=ill, weight=[None, *NUMBERS[1:]], stars=stars), pictures=False)
    assert roles.kinds == {"kind": "classes", "ill": "yes_no", "weight": "number", "stars": "classes"}
    assert roles.notes["kind"] == "2 classes: a, b"
    assert roles.notes["ill"] == "no 20 times, yes 20 times"
    assert "1 of 40 cells are empty" in roles.notes["weight"]
    assert 'write "number"' in roles.notes["stars"]


def test_what_cannot_be_a_task_is_left_out_with_the_reason():
    columns = {"w": NUMBERS, "note": [f"n{i}" for i in range(40)], "same": ["x"] * 40, "none": [None] * 40}
    roles = find_roles(table(**columns, id=[str(i) for i in range(40)]), pictures=False)
    assert list(roles.kinds) == ["w"]
    assert roles.left_out == {
        "note": "has 40 different texts in 40 cells, so they are names",
        "same": "is 'x' in every row",
        "none": "has no values",
        "id": "is named like an id",
    }


def test_an_id_that_repeats_keeps_rows_together_but_not_beside_a_split():
    ids = [f"p{i // 4}" for i in range(40)]
    assert find_roles(table(w=NUMBERS, patient_id=ids), pictures=False).group == "patient_id"
    # Ten groups are few, but enough for four splits; five are not.
    assert find_roles(table(w=NUMBERS, patient_id=[f"p{i // 8}" for i in range(40)]), pictures=False).group is None
    split = ["train"] * 30 + ["test"] * 10
    roles = find_roles(table(w=NUMBERS, patient_id=ids, part=split), pictures=False)
    assert (roles.split, roles.group, list(roles.kinds)) == ("part", None, ["w"])


def test_a_named_target_is_one_although_its_name_is_that_of_an_id():
    ids = [f"p{i // 4}" for i in range(40)]
    roles = find_roles(table(w=NUMBERS, patient_id=ids), ["patient_id"], pictures=False)
    assert roles.kinds["patient_id"] == "classes"
    assert roles.group is None
    with pytest.raises(InputError, match="'note' cannot be a task: has 40 different texts"):
        find_roles(table(w=NUMBERS, note=[f"n{i}" for i in range(40)]), ["note"], pictures=False)


def test_pictures_are_the_column_that_names_a_different_one_in_every_row():
    files = [f"{i}.png" for i in range(40)]
    roles = find_roles(table(mask=["m.png"] * 20 + ["n.png"] * 20, file=files, w=NUMBERS), pictures=True)
    assert (roles.image, roles.kinds["mask"]) == ("file", "mask")
    with pytest.raises(InputError, match="no column names a picture of its own"):
        find_roles(table(mask=["m.png"] * 40, w=NUMBERS), pictures=True)
