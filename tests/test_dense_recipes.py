"""The recipes on public data sets, small: from fixtures of their files on the disk to trees that are drawn."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets.fixtures_celeba import write_celeba
from datasets.fixtures_npy import write_cityscapes, write_nyuv2
from datasets.fixtures_nyud import write_nyud
from datasets.fixtures_pascal import write_pascal
from datasets.fixtures_taskonomy import write_buildings, write_lists
from PIL import Image

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
        assert "share of separate networks" in nas.show(folder.path, tree=tree.id).text
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
    separate = report.separate.amounts["macs"]
    budgets = [(report.shared.amounts["macs"] / separate + 1) / 2, 1.0]
    folder = _searched(recipe, tmp_path / "run", {**changes, "goal.budgets": budgets})
    found = {point.budget: point for point in folder.front.points}
    # None is the search's own choice.
    assert set(found) == {*budgets, None}
    for budget, point in found.items():
        assert set(read_tree(folder.path / point.tree).tasks) == tasks
        assert point.cost["macs"] <= (budget or max(budgets)) * separate


def _write_first_release(root: Path) -> None:
    write_nyud(root, "first", num_train=8, num_val=2, size=(32, 48))


def _write_second_release(root: Path) -> None:
    write_nyud(root, "second", num_train=8, num_val=2, size=(32, 48))


def _write_lists(root: Path) -> None:
    write_lists(root, num_train=10, num_test=2, size=(40, 40))


def _write_buildings(root: Path) -> None:
    write_buildings(root, "by domain", size=(40, 40))


def _write_celeba(root: Path) -> None:
    write_celeba(root, num_train=12)


@pytest.mark.parametrize(
    ("recipe", "write", "size", "samples"),
    [
        ("nyud", _write_first_release, [32, 32], [6, 1, 1, 2]),
        ("nyud", _write_second_release, [32, 32], [6, 1, 1, 2]),
        ("taskonomy", _write_lists, [32, 32], [4, 5, 1, 2]),
        ("taskonomy", _write_buildings, [32, 32], [8, 4, 4, 4]),
        ("celeba", _write_celeba, [32, 32], [10, 2, 3, 3]),
    ],
)
def test_a_folder_passes_the_check(tmp_path: Path, recipe: str, write: Any, size: list[int], samples: Any) -> None:
    write(tmp_path / "data")
    changes = {"data.folder": str(tmp_path / "data"), "data.size": size, "input_shape": [3, *size], "goal.budgets": []}
    result = nas.check(RUNS / f"{recipe}.py", changes={**SMALL, **changes})
    assert list(result.samples.values()) == samples
    experiment = load_recipe(RUNS / f"{recipe}.py")
    assert result.losses.keys() == {task.name for task in experiment.tasks}
    # Budgets are shares, and the least one allows the fully shared tree at the recipe's own size, too.
    report = nas.profile(RUNS / f"{recipe}.py", changes={"goal.budgets": [], "num_threads": 1, "device": "cpu"})
    assert report.shared.amounts["macs"] <= min(experiment.goal.budgets) * report.separate.amounts["macs"]


def test_the_nodes_of_learning_to_branch_pass_the_check_and_are_searched(tmp_path: Path) -> None:
    _write_celeba(tmp_path / "data")
    changes = {
        "data.folder": str(tmp_path / "data"),
        "data.size": [32, 32],
        "input_shape": [3, 32, 32],
        "backbone.widths": [4] * 8,
        "strategy.epochs": 2,
        "strategy.batch_size": 4,
        "num_workers": 0,
        "num_threads": 1,
        "device": "cpu",
    }
    result = nas.check(RUNS / "celeba_ltb.py", changes={**changes, "goal.budgets": []})
    assert len(result.losses) == 40
    experiment = load_recipe(RUNS / "celeba_ltb.py")
    report = nas.profile(RUNS / "celeba_ltb.py", changes={"goal.budgets": [], "num_threads": 1, "device": "cpu"})
    assert report.shared.amounts["macs"] <= min(experiment.goal.budgets) * report.separate.amounts["macs"]
    folder = nas.search(RUNS / "celeba_ltb.py", out=tmp_path / "run", changes={**changes, "goal.budgets": [0.5]})
    tree = read_tree(folder.path / folder.front.points[0].tree)
    assert all(g <= j for g, j in zip(tree.num_groups, (3, 3, 5, 5, 10, 20, 30, 40), strict=True))


def _with_one_depth(root: Path, recipe: str) -> None:
    """A data set in which every pixel has the same depth: 6 metres, or 12,000 of Taskonomy's units."""
    if recipe == "nyud":
        _write_second_release(root)
        for path in (root / "depth").iterdir():
            np.save(path, np.full((32, 48), 6, np.float32))
    else:
        _write_lists(root)
        for path in root.glob("*/*/depth_zbuffer/*.png"):
            Image.fromarray(np.full((40, 40), 12_000, np.uint16)).save(path)


@pytest.mark.parametrize("recipe", ["nyud", "taskonomy"])
def test_training_pictures_are_enlarged_and_their_depth_is_divided(tmp_path: Path, recipe: str) -> None:
    _with_one_depth(tmp_path, recipe)
    data = load_recipe(RUNS / f"{recipe}.py").data
    source = data.with_argument("folder", tmp_path).with_argument("size", (24, 24))()

    def depths(split: str, epoch: int) -> set[float]:
        labels = [sample[1]["depth"].double() for sample in source.split(split).at_epoch(0, epoch)]
        # Taskonomy's labels are logarithms, in float32.
        numbers = [torch.expm1(label * math.log(2**16)) / 2000 if recipe == "taskonomy" else label for label in labels]
        return {round(number, 2) for number in torch.cat(numbers).unique().tolist()}

    assert depths("test", 0) == {6}
    assert set().union(*(depths("train", epoch) for epoch in range(8))) == {6, 5, 4}


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


@pytest.mark.parametrize("recipe", ["pascal_context", "nyuv2", "cityscapes", "nyud", "taskonomy", "celeba"])
def test_building_an_experiment_touches_no_data_and_the_environment_names_it(
    recipe: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = {"pascal_context": "PASCAL_MT", "nyud": "NYUD_MT"}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(names.get(recipe, recipe.upper()), str(tmp_path / "nowhere"))
    experiment = load_recipe(RUNS / f"{recipe}.py")
    with pytest.raises(nas.InputError, match=r"nowhere.*: no such folder"):
        experiment.data()
    assert list(tmp_path.iterdir()) == []
