"""Several seeds of a search by similarity, on Ray, with a storage: pooled trees are shown, moved and trained."""

import json
import shutil

import pytest

pytest.importorskip("ray")

from small_digits import RECIPE, changes

from nas.cli.main import run
from nas.launch.run_storage import RunStorage
from nas.run import RunFolder

SEEDS = changes(strategy="similarity", strategy__epochs=1, trials__seeds=2)
FILES = ("front.json", "pooled.json")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in [*map(folder.joinpath, FILES), *_trees(folder)]}


def _trees(folder):
    return sorted((folder / "trees").iterdir())


@pytest.fixture(scope="module")
def finished(local_ray, tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    storage = folder / "storage"
    assert run(["search", RECIPE, "--out", str(folder / "run"), *SEEDS, "--storage", str(storage)]) == 0
    return folder / "run", storage


def pooled_point(folder):
    return next(point for point in RunFolder(folder).front.points if point.pooled and point.budget == 0.3)


def test_pooled_trees_are_trees_that_every_command_knows(finished, capsys):
    folder, _ = finished
    point = pooled_point(folder)
    assert point.pooled == (0, 1)
    # After one epoch the copies have learned nothing, so neither seed's estimate counts, nor their mean.
    assert "learned nothing" in point.withheld
    assert RunFolder(folder).front.best is None
    # The spread of two seeds says nothing; the errors within each do.
    assert point.quality.std is None
    assert point.grade is not None
    assert (folder / "figures" / f"{point.tree_id}.png").is_file()
    capsys.readouterr()
    assert run(["show", str(folder), "--tree", point.tree_id]) == 0
    shown = capsys.readouterr().out
    assert f"estimate {point.quality.amount}: minus dissimilarity" in shown
    assert " of 2 seeds" in shown
    assert run(["retrain", str(folder), "--tree", point.tree_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tree_id"] == point.tree_id


def test_the_storage_has_what_the_run_has_and_the_weights_too(finished, tmp_path, capsys):
    folder, storage = finished
    moved = tmp_path / "run"
    RunStorage(str(storage), "run").download(moved)
    assert contents(moved) == contents(folder)
    capsys.readouterr()
    tree = pooled_point(moved).tree_id
    assert run(["retrain", str(moved), "--tree", tree, "--from", "inherited", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["start"] == "inherited"


def test_a_search_that_is_killed_before_its_front_pools_the_same(finished, tmp_path):
    folder, _ = finished
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    before = contents(copy)
    for name in FILES:
        (copy / name).unlink()
    shutil.rmtree(copy / "trees")
    # No trial is left, so nothing is trained.
    assert run(["search", RECIPE, "--out", str(copy), "--resume"]) == 0
    assert contents(copy) == before
