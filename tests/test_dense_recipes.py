"""The recipes on public data sets, small: from fixtures of their files on the disk to trees that are drawn."""

from pathlib import Path
from typing import Any

import pytest
from datasets.fixtures_npy import write_cityscapes, write_nyuv2
from datasets.fixtures_pascal import write_pascal

import nas
from nas.recipe.load import load_recipe
from nas.tree import read_tree

RUNS = Path(__file__).parents[1] / "runs"
SMALL: dict[str, Any] = {
    "backbone.width": 0.25,
    "strategy.epochs": 2,
    "strategy.batch_size": 4,
    "strategy.candidates": "plain",
    "retrain.epochs": 1,
    "retrain.batch_size": 2,
    "num_workers": 0,
    "num_threads": 1,
    "device": "cpu",
}


def _searched(recipe: str, out: Path, changes: dict[str, Any]) -> nas.RunFolder:
    folder = nas.search(RUNS / f"{recipe}.py", out=out, changes={**SMALL, **changes})
    for point in folder.front.points:
        tree = read_tree(folder.path / point.tree)
        assert "share of separate networks" in nas.show(folder.path, tree=tree.id)
        assert (folder.path / "figures" / f"{tree.id}.png").is_file()
    return folder


def test_pascal_context_is_searched_as_bmtas_did(tmp_path: Path) -> None:
    write_pascal(tmp_path / "PASCAL_MT", num_train=20, num_val=2, size=(40, 50))
    changes = {"data.folder": str(tmp_path / "PASCAL_MT"), "data.crop": 32}
    # More than one picture to validate on, for one may have nobody in it.
    changes |= {"data.validation": 0.25, "data.cache": str(tmp_path / "cache"), "input_shape": [3, 64, 64]}
    folder = _searched("pascal_context", tmp_path / "run", changes)
    (point,) = folder.front.points
    tree = read_tree(folder.path / point.tree)
    assert set(tree.tasks) == {"semseg", "human_parts", "sal", "normals", "edge"}
    assert len(tree.blocks) == 18
    # All pictures, since the labels of every split are looked at beforehand.
    assert len(list((tmp_path / "cache").rglob("*.sample"))) == 22
    result = nas.retrain(folder.path, changes={"data.half_resolution": False, "data.crop": 64, "backbone.dropout": 0.1})
    assert set(result.test["semseg"]) == {"loss", "mean_iou"}


@pytest.mark.parametrize(
    ("recipe", "write", "tasks"),
    [
        ("nyuv2", write_nyuv2, {"semseg", "depth", "normals"}),
        ("cityscapes", write_cityscapes, {"semseg", "depth"}),
    ],
)
def test_arrays_are_searched_within_budgets(tmp_path: Path, recipe: str, write: Any, tasks: set[str]) -> None:
    write(tmp_path / "data", num_train=12, num_val=2, size=(24, 32))
    changes = {"data.folder": str(tmp_path / "data"), "data.size": [32, 32], "input_shape": [3, 32, 32]}
    report = nas.profile(RUNS / f"{recipe}.py", changes={**SMALL, **changes, "goal.budgets": []})
    separate = report["separate"]["macs"]
    budgets = [(report["shared"]["macs"] / separate + 1) / 2, 1.0]
    folder = _searched(recipe, tmp_path / "run", {**changes, "goal.budgets": budgets})
    found = {point.budget: point for point in folder.front.points}
    # None is the search's own choice.
    assert set(found) == {*budgets, None}
    for budget, point in found.items():
        assert set(read_tree(folder.path / point.tree).tasks) == tasks
        assert point.cost["macs"] <= (budget or max(budgets)) * separate


def test_the_published_setting_is_what_the_recipe_states() -> None:
    experiment = load_recipe(RUNS / "pascal_context.py")
    assert experiment.strategy == nas.bmtas()
    retrain = experiment.retrain
    assert (retrain.epochs, retrain.batch_size, retrain.shared_lr) == (130, 16, "divided")
    optimizer, schedule = retrain.optimizer, retrain.schedule
    assert (optimizer.kind, optimizer.lr, optimizer.momentum, optimizer.weight_decay) == ("sgd", 0.005, 0.9, 1e-4)
    assert (schedule.kind, schedule.power, schedule.warmup) == ("polynomial", 0.9, 0.0)
    assert {task.name: task.weight for task in experiment.tasks} == {
        "semseg": 1,
        "human_parts": 2,
        "sal": 5,
        "normals": 10,
        "edge": 50,
    }
    assert [task.num_outputs for task in experiment.tasks] == [21, 7, 1, 3, 1]


@pytest.mark.parametrize("recipe", ["pascal_context", "nyuv2", "cityscapes"])
def test_building_an_experiment_touches_no_data_and_the_environment_names_it(
    recipe: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = {"pascal_context": "PASCAL_MT", "nyuv2": "NYUV2", "cityscapes": "CITYSCAPES"}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(names[recipe], str(tmp_path / "nowhere"))
    experiment = load_recipe(RUNS / f"{recipe}.py")
    with pytest.raises(nas.InputError, match=r"nowhere.*: no such folder"):
        experiment.data()
    assert list(tmp_path.iterdir()) == []
