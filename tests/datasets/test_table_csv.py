"""Tables as inputs and tasks, value for value."""

import pytest
import torch

from nas.data import SPLITS
from nas.datasets.table_csv import TableCsv
from nas.errors import InputError

ROWS = [
    (f"{i}", "" if i % 5 == 0 else f"{2 * i}", ("red", "green", "blue")[i % 3], f"{3 * i}.5", "yes" if i % 2 else "no",
     "train" if i < 30 else ("val" if i < 40 else "test"))
    for i in range(50)
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    lines = ["id,size,colour,price,sold,part", *(",".join(row) for row in ROWS)]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_inputs_are_standardised_by_the_training_rows(folder):
    source = TableCsv(folder, ["price", "sold"], inputs=["size", "colour"], split="part")
    assert source.feature_names == ("size", "size is empty", "colour = blue", "colour = green", "colour = red")
    assert source.num_features == 5
    inputs = torch.stack([source.split("train")[i][0] for i in range(len(source.split("train")))])
    known = inputs[inputs[:, 1] == 0, 0]
    sizes = {float(row[1]) for row in ROWS if row[1]}
    assert len(known) < len(inputs)
    assert known.mean().abs() < 1e-6
    assert known.std(correction=0) == pytest.approx(1, abs=1e-6)
    assert (inputs[inputs[:, 1] == 1, 0] == 0).all()
    assert (inputs[:, 2:].sum(1) == 1).all()
    assert len(sizes) == 40
    # A validation row is scaled by the training rows, too.
    assert source.split("validation")[1][0][0] > known.max()


def test_labels_are_columns_and_may_be_missing(folder):
    source = TableCsv(folder, {"size": "number", "sold": None, "colour": None}, inputs=["price"], split="part")
    assert [task.name for task in source.tasks] == ["size", "sold", "colour"]
    validation = source.split("validation")
    for row in range(30, 40):
        _, labels = validation[row - 30]
        assert ("size" in labels) == (row % 5 != 0)
        if "size" in labels:
            assert labels["size"].tolist() == [2.0 * row]
        assert labels["sold"].tolist() == [float(row % 2)]
        assert labels["colour"] == [2, 1, 0][row % 3]


def test_all_other_columns_are_inputs(folder):
    source = TableCsv(folder, ["price"], split="part")
    assert {name.split(" ")[0] for name in source.feature_names} == {"id", "size", "colour", "sold"}
    assert sum(len(source.split(name)) for name in SPLITS) == 50


def test_a_text_that_no_training_row_has_is_no_input(folder):
    path = folder / "t.csv"
    path.write_text(path.read_text().replace("45,,red", "45,,pink"))
    source = TableCsv(folder, ["price"], inputs=["colour"], split="part")
    assert source.feature_names == ("colour = blue", "colour = green", "colour = red")
    assert source.split("test")[5][0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"targets": []}, "`targets` names no column"),
        ({"targets": ["price"], "inputs": ["price"]}, "`inputs` must name columns that are not targets"),
        ({"targets": ["price"], "inputs": ["weight"]}, "there is no column 'weight'"),
        ({"targets": ["height"]}, "there is no column 'height'"),
    ],
)
def test_columns_that_do_not_fit_are_refused(folder, arguments, words):
    with pytest.raises(InputError, match=words):
        TableCsv(folder, **arguments)


def test_names_and_constants_are_no_inputs(tmp_path):
    lines = ["name,same,price", *(f"n{i}-{i},3,{i}.5" for i in range(300))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"column 'name' has .* different texts .* so they are names"):
        TableCsv(tmp_path, ["price"], inputs=["name"])
    with pytest.raises(InputError, match="column 'same' has one value at most in the training rows"):
        TableCsv(tmp_path, ["price"], inputs=["same"])
