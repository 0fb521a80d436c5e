"""Answers to whole samples, as one table."""

import csv
import sys

import numpy as np
import pytest
import torch
from deployed import describe, make_network
from PIL import Image
from pyarrow import parquet
from small_digits import refused

import nas
from nas.cli.main import run
from nas.deploy import TaskRecord, write_bundle
from nas.networks.branched import sub_network
from nas.report.prediction_table import PredictionTable


def bundle(folder, network, backbone, tasks, inputs, pixels):
    write_bundle(folder, network, backbone, describe(network, tasks, inputs, pixels, "bundle"), "# card")
    return folder


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A bundle of tasks with one answer a sample, "left" (ten classes) and "ink" (a number), and samples for it."""
    network, backbone, tasks, inputs, pixels = make_network("digits", 1)
    kept = [task for task in tasks if task.name != "restore"]
    folder = tmp_path_factory.mktemp("digits")
    np.savez(folder / "inputs.npz", some=inputs[:3].numpy(), one=inputs[3].numpy())
    network = sub_network(network, kept).eval()
    with torch.no_grad():
        outputs = network(inputs)
    return bundle(folder / "bundle", network, backbone, kept, inputs, pixels), folder / "inputs.npz", outputs


def test_image_tasks_make_one_table_and_nothing_else(digits, tmp_path, capsys):
    folder, inputs, outputs = digits
    assert run(["predict", str(folder), str(inputs), "--out", str(tmp_path / "out"), "--batch", "2"]) == 0
    assert "predictions for whole samples: predictions.csv, predictions.parquet" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"predictions.csv", "predictions.parquet"}
    with open(tmp_path / "out" / "predictions.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["name", "left", *(f"left.{digit}" for digit in range(10)), "ink"]
    assert [row["name"] for row in rows] == [*(f"inputs-some-{i:04d}" for i in range(3)), "inputs-one"]
    probabilities = outputs["left"].softmax(1)
    for i, row in enumerate(rows):
        assert row["left"] == str(probabilities[i].argmax().item())
        found = [float(row[f"left.{digit}"]) for digit in range(10)]
        # The same network in batches of another size.
        np.testing.assert_allclose(found, probabilities[i], rtol=1e-4)
        np.testing.assert_allclose(float(row["ink"]), outputs["ink"][i].item(), rtol=1e-4)
    table = parquet.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
    assert [
        {name: str(np.float32(x)) if isinstance(x, float) else x for name, x in row.items()} for row in table
    ] == rows


def test_without_pyarrow_there_is_the_csv(digits, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = nas.predict(digits[0], digits[1], out=tmp_path / "out")
    assert done.tables == (str(tmp_path / "out" / "predictions.csv"),)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"predictions.csv"}


def test_columns_of_every_kind(tmp_path):
    table = PredictionTable(
        [
            TaskRecord(name="name", num_outputs=2, kind="classes", shape=(2,), labels=("no, never", 'a "b"')),
            TaskRecord(name="twice", num_outputs=2, kind="classes", shape=(2,), labels=("same", "same")),
            TaskRecord(name="sick", num_outputs=1, kind="binary", shape=(1,)),
            TaskRecord(name="has", num_outputs=2, kind="binary", shape=(2,), labels=("hat", "scarf")),
            TaskRecord(name="place", num_outputs=2, kind="values", shape=(2,)),
            TaskRecord(name="edge", num_outputs=1, kind="binary", shape=(1, 4, 4)),
        ]
    )
    pair, edge = torch.tensor([[0.25, 0.75]]), torch.zeros(1, 1, 4, 4)
    answers = {"name": pair, "twice": pair, "sick": pair[:, :1], "has": pair, "place": -pair, "edge": edge}
    table.add(["a\udcff, b"], answers)
    csv_file, parquet_file = table.write(tmp_path)
    with open(csv_file, newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "name_": "a\\xff, b",
        "name": 'a "b"',
        "name.no, never": "0.25",
        'name.a "b"': "0.75",
        "twice": "1",
        "twice.0": "0.25",
        "twice.1": "0.75",
        "sick": "0.25",
        "has.hat": "0.25",
        "has.scarf": "0.75",
        "place.0": "-0.25",
        "place.1": "-0.75",
    }
    assert parquet.read_table(parquet_file).column_names == list(row)


RECIPE = """
from deployed import SCENES, own_backbone
from nas import Experiment, lazy
from nas.datasets.scenes import Scenes


def experiment():
    return Experiment(tasks=SCENES, backbone=lazy({backbone}), data=lazy(Scenes), input_shape=(3, 32, 40))
"""


def test_a_bundle_of_an_own_backbone_needs_its_recipe(tmp_path, capsys):
    network, backbone, tasks, inputs, pixels = make_network("own", 0)
    folder, out = bundle(tmp_path / "bundle", network, backbone, tasks, inputs, pixels), tmp_path / "out"
    np.save(tmp_path / "a.npy", inputs[0].numpy())
    line = refused(capsys, "predict", folder, tmp_path / "a.npy", "--out", out)
    assert "name the recipe that makes it (nas predict --recipe" in line
    (tmp_path / "recipe.py").write_text(RECIPE.format(backbone="own_backbone"))
    arguments = ["predict", folder, tmp_path / "a.npy", "--out", out, "--recipe", tmp_path / "recipe.py"]
    assert run([str(argument) for argument in arguments]) == 0
    with torch.no_grad(), np.load(out / "a.npz") as found:
        np.testing.assert_allclose(found["sal"], network(inputs)["sal"][0].sigmoid(), atol=1e-5)
    (tmp_path / "recipe.py").write_text(RECIPE.format(backbone="own_backbone, width=7"))
    assert "own_backbone" in refused(capsys, *arguments)
    assert "needs no --recipe" in refused(
        capsys, "predict", tmp_path / "recipe.py", tmp_path / "a.npy", "--out", out, "--recipe", tmp_path / "recipe.py"
    )
    assert "name it with --recipe" in refused(capsys, *arguments[:-2], "--set", "seed=1")


def test_the_page_is_drawn_where_there_are_maps_beside_rows(tmp_path):
    network, backbone, tasks, inputs, pixels = make_network("digits", 1)
    folder = bundle(tmp_path / "bundle", network, backbone, tasks, inputs, pixels)
    Image.new("L", tuple(inputs.shape[:1:-1]), 100).save(tmp_path / "a.png")
    nas.predict(folder, tmp_path / "a.png", out=tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("a.npz", "a.png", "a.restore.png", "predictions.csv", "predictions.parquet")
    }
    with np.load(tmp_path / "out" / "a.npz") as arrays:
        assert set(arrays) == {"left", "ink", "restore"}
