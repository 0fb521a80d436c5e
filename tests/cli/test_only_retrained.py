"""Runs without a search: a recipe retrained with a tree that a name describes, and what the other commands do there."""

import json
import shutil

import pytest
from small_digits import RECIPE, changes, refused

from nas.cli.main import run


def output_of(capsys, *arguments: object) -> str:
    capsys.readouterr()
    assert run([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The digits recipe, retrained with the shared tree; nothing was searched."""
    path = tmp_path_factory.mktemp("retrained") / "run"
    assert run(["retrain", RECIPE, "--tree", "shared", "--out", str(path), *changes(compare__random_trees=0)]) == 0
    return path


def test_show_shows_the_tree_with_its_costs_and_trainings(folder, capsys):
    text = output_of(capsys, "show", folder)
    assert "block0-block5  left, right, sum, larger, ink, restore" in text
    assert "share of separate networks" in text
    assert "fresh weights, seed 0, best epoch 1 of 1" in text
    tree = json.loads(output_of(capsys, "show", folder, "--json"))
    assert tree == json.loads(output_of(capsys, "show", folder, "--tree", "shared", "--json"))
    (file,) = (folder / "trees").iterdir()
    assert tree == json.loads(file.read_text())
    assert tree == json.loads(output_of(capsys, "show", file, "--json"))
    assert output_of(capsys, "show", folder, "--tree", "random:5", "--json") != text


def test_evaluate_measures_it_without_an_empty_column(folder, capsys):
    text = output_of(capsys, "evaluate", folder)
    assert "against alone" not in text
    assert text == output_of(capsys, "evaluate", folder, "--tree", "shared")
    assert "no finished training of tree separate" in refused(capsys, "evaluate", folder, "--tree", "separate")


def test_compare_judges_it_and_evaluate_then_has_gains(folder, tmp_path, capsys):
    path = tmp_path / "run"
    shutil.copytree(folder, path)
    rows = json.loads(output_of(capsys, "compare", path, "--require-safe", "1000000", "--json"))["rows"]
    (file,) = (path / "trees").iterdir()
    assert [(row["kind"], row["name"]) for row in rows] == [
        ("single", "single tasks"),
        ("shared", "shared"),
        ("found", file.stem),
    ]
    text = output_of(capsys, "evaluate", path)
    assert "against alone" in text
    assert text.count(" %") == 7, "six tasks and all of them"
    # What a comparison has trained beside it is not taken for a tree of the run.
    assert output_of(capsys, "show", path) == output_of(capsys, "show", folder)


def test_it_is_exported(folder, tmp_path, capsys):
    out = tmp_path / "model"
    text = output_of(capsys, "export", folder, "--tree", "shared", "--format", "bundle", "--out", out)
    assert "predicted cost: 1.18 MMACs" in text
    assert json.loads(output_of(capsys, "evaluate", folder, "--checkpoint", out, "--json"))["measured"]


def test_of_several_trees_all_are_shown_and_one_has_to_be_named_for_the_rest(folder, tmp_path, capsys):
    path = tmp_path / "run"
    shutil.copytree(folder, path)
    result = json.loads(output_of(capsys, "retrain", path, "--tree", "random:3:0.5", "--json"))
    text = output_of(capsys, "show", path)
    assert text.count("share of separate networks") == 2
    assert f"retrained/{result['tree_id']}/fresh-0-" in text
    assert output_of(capsys, "evaluate", path, "--tree", "random:3:0.5")
    for command in (["show", "--json"], ["evaluate"], ["retrain"], ["compare", "--require-safe", "5"]):
        assert "several retrained trees" in refused(capsys, command[0], path, *command[1:])


def test_a_training_that_was_stopped_is_said_to_be(folder, tmp_path, capsys):
    path = tmp_path / "run"
    shutil.copytree(folder, path)
    (result,) = path.glob("retrained/*/*/result.json")
    result.unlink()
    assert "not finished, continue with nas retrain --resume" in output_of(capsys, "show", path)


def test_a_searched_run_takes_the_names_too(own_run, tmp_path, capsys):
    result = json.loads(output_of(capsys, "retrain", own_run, "--tree", "random:1", "--json"))
    assert (own_run / "trees" / f"{result['tree_id']}.json").is_file()
    assert not (own_run / "costs.json").exists(), "the trial has its own"
    assert f'"{result["tree_id"]}"' in output_of(capsys, "evaluate", own_run, "--tree", "random:1", "--json")
    assert "├─ " in output_of(capsys, "show", own_run, "--tree", result["tree_id"][:6])
    # What is recommended is still what the search found.
    front = json.loads((own_run / "front.json").read_text())
    best = next(point["tree"] for point in front["points"] if point["recommended"])
    assert json.loads(output_of(capsys, "show", own_run, "--json")) == json.loads((own_run / best).read_text())


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (None, "name one with --tree: FILE.json, shared, separate, random:SEED or random:SEED:BUDGET"),
        ("random", "random:SEED"),
        ("random:0:0.01", "smallest feasible budget"),
        ("random:0:1e99999", "a budget is a share"),
    ],
)
def test_wrong_names_leave_no_folder(tree, words, tmp_path, capsys):
    named = [] if tree is None else ["--tree", tree]
    assert words in refused(capsys, "retrain", RECIPE, *named, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_without_anything_is_still_told_to_go_on(own_run, capsys):
    (own_run / "front.json").unlink()
    assert "finish its search" in refused(capsys, "show", own_run)
    shutil.rmtree(own_run / "trials")
    assert "finish its search" in refused(capsys, "show", own_run)
    assert "no costs.json" in refused(capsys, "show", own_run, "--tree", "shared")
