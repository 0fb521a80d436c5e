"""Recipes on folders of pictures and tables: from bare files to trees, predictions and exports."""

import csv
import os
from pathlib import Path

import pytest
from datasets.fixtures_photos import write_photos

import nas
from nas.cli.main import run
from nas.tree import read_tree

RUNS = Path(__file__).parents[1] / "runs"
SMALL = ["backbone.width=0.25", "strategy.epochs=1", "strategy.batch_size=8", "strategy.candidates=plain"]
SMALL += ["retrain.epochs=1", "retrain.batch_size=8", "device=cpu", "num_threads=1", "data.size=[32,32]"]


def settings(*changes):
    return [part for change in (*SMALL, *changes) for part in ("--set", change)]


@pytest.mark.slow
def test_from_a_bare_folder_to_an_exported_network(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_photos(tmp_path / "photos", 60, size=(32, 40))
    own = ("data.folder=photos", 'data.targets=["species","weight (g)","ill","outline"]')
    assert run(["check", str(RUNS / "images_csv.py"), *settings(*own)]) == 0
    shown = capsys.readouterr().out
    for words in ("species", "3: ash, elm, oak", "cross_entropy", "mse", "binary_cross_entropy", "pixel"):
        assert words in shown
    assert run(["search", str(RUNS / "images_csv.py"), *settings(*own), "--out", "found"]) == 0
    found = nas.RunFolder(tmp_path / "found")
    for point in found.front.points:
        assert set(read_tree(found.path / point.tree).tasks) == {"species", "weight_g", "ill", "outline"}
    tree = found.front.points[0].tree_id
    assert run(["retrain", "found", "--tree", tree]) == 0
    assert run(["export", "found", "--tree", tree, "--format", "bundle", "--out", "model"]) == 0
    assert run(["predict", "model", "photos/images", "--out", "predicted"]) == 0
    rows = list(csv.DictReader((tmp_path / "predicted" / "predictions.csv").read_text().splitlines()))
    assert len(rows) == 60
    # After one epoch a number is near the mean of the labels, 130, not near 0.
    weights = [float(next(value for name, value in row.items() if name.startswith("weight_g"))) for row in rows]
    assert 80 < sum(weights) / len(weights) < 180


def test_tasks_of_the_data_are_part_of_the_run(tmp_path, capsys):
    write_photos(tmp_path / "photos", 40, size=(32, 32))
    own = (f"data.folder={tmp_path / 'photos'}", 'data.targets={"species":null,"ill":"yes_no"}', "tasks.ill.weight=2.5")
    assert run(["search", str(RUNS / "images_csv.py"), *settings(*own), "--out", str(tmp_path / "found")]) == 0
    path = tmp_path / "photos" / "labels.csv"
    path.write_text(path.read_text().replace("oak", "fir"))
    capsys.readouterr()
    assert run(["retrain", str(tmp_path / "found"), "--tree", "shared"]) == 2
    assert "its fields tasks differ" in capsys.readouterr().err


REAL = {"leaves": "LEAVES", "eth80": "ETH80", "camvid": "CAMVID", "molecules": "MOLECULES"}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", REAL)
def test_real_data_are_accepted(recipe, capsys):
    """Set LEAVES, ETH80, CAMVID and MOLECULES to the folders that the recipes describe."""
    if not (folder := os.environ.get(REAL[recipe])):
        pytest.skip(f"{REAL[recipe]} names no folder")
    assert run(["check", str(RUNS / f"{recipe}.py"), "--set", f"data.folder={folder}"]) == 0
    assert "at chance" in capsys.readouterr().out
