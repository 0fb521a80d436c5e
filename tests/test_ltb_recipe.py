"""The recipe of Learning to Branch's synthetic tasks."""

import sys
from pathlib import Path

import pytest
from synthetic_structure import agreement, report

import nas
from nas.datasets.function_tasks import function_tasks
from nas.recipe import load_recipe
from nas.tree import BranchTree

RECIPE = Path(__file__).parents[1] / "runs" / "ltb_synthetic.py"
SMALL = {"strategy.epochs": 2, "data.num_train": 80, "data.num_architecture": 20, "data.num_validation": 20}


@pytest.mark.parametrize("setting", ["cluster", "share", "hierarchy"])
def test_the_environment_chooses_the_setting(monkeypatch, setting):
    monkeypatch.setenv("LTB_SETTING", setting)
    experiment = load_recipe(RECIPE)
    assert experiment.tasks == function_tasks(setting)
    assert experiment.data.args["setting"] == setting
    assert experiment.strategy == nas.ltb()


def test_it_is_searched_and_retrained(tmp_path, monkeypatch):
    monkeypatch.setenv("LTB_SETTING", "share")
    run = nas.search(RECIPE, out=tmp_path / "run", changes={**SMALL, "retrain.epochs": 1})
    (point,) = run.front.points
    result = nas.retrain(run.path, tree=point.tree_id, recipe=RECIPE, start="inherited")
    assert len(result.test) == 15


def test_an_unknown_setting_is_refused(monkeypatch):
    monkeypatch.setenv("LTB_SETTING", "shares")
    with pytest.raises(nas.InputError, match="did you mean 'share'"):
        load_recipe(RECIPE)


def test_the_report_counts_what_was_found():
    names = [task.name for task in function_tasks("hierarchy")]
    row = [0] * 10 + [1] * 5
    assert agreement(BranchTree.from_choices(names, [row]), "hierarchy") == 1.0
    assert agreement(BranchTree.shared(names, 1), "hierarchy") == 0.0
    assert agreement(BranchTree.shared(names, 1), "share") == 1.0
    common = {"setting": "share", "strategy": "ltb", "seconds": 2.0}
    rows = [{**common, "found": True, "agreement": 1.0, "groups": [1, 1]}]
    rows += [{**common, "found": False, "agreement": 0.0, "groups": [1, 2]}]
    assert report(rows).splitlines()[2:] == ["| share | ltb | 1 of 2 | 0.50 | 1-1, 1-2 | 2 |"]


def test_its_module_makes_any_seed():
    load_recipe(RECIPE)
    experiment = sys.modules["_recipe_ltb_synthetic"].synthetic_experiment("cluster", 4)
    assert (experiment.seed, experiment.data.args["seed"]) == (4, 4)
