"""Whatever is wrong with the input: exit status 2, one line that says what and where, no traceback, nothing lost."""

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_digits import RECIPE, changes, refused
from tree_strategies import trees

from nas.cli.main import run

few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

TASKS = ("left", "right", "sum", "larger", "ink", "restore")

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def refusal(capsys, *arguments: object) -> str | None:
    """What a command refuses with, properly; None if it does its work."""
    capsys.readouterr()
    status = run([str(argument) for argument in arguments])
    errors = capsys.readouterr().err
    assert status in (0, 2), errors
    assert "Traceback" not in errors
    if status == 0:
        return None
    *_, last = errors.splitlines()
    assert last.startswith("error: ")
    return last


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "command"),
        (["serach"], "Did you mean 'search'?"),
        (["search"], "RECIPE"),
        (["search", "nowhere.py"], "nowhere.py: no such recipe"),
        (["search", ""], "no such recipe"),
        (["search", "-"], "no such recipe"),
        (["search", "nowhere.py", "--resume"], "nowhere.py: no such recipe"),
        (["search", RECIPE, "--set", "strategy.epochs"], "expected FIELD=VALUE"),
        (["search", RECIPE, "--set", "strategy.epochs=-1"], "strategy.epochs"),
        (["search", RECIPE, "--set", "goal.budgets=[0.1]", "--out", "OUT"], "smallest feasible budget"),
        (["search", RECIPE, "--set", "goal.budgets=[1e-9]", "--out", "OUT"], "smallest feasible budget"),
        (["search", RECIPE, "--set", "goal.budgets=[-1]", "--out", "OUT"], "goal.budgets.0"),
        (["search", RECIPE, "--set", "goal.budgets=[Infinity]", "--out", "OUT"], "must be finite"),
        (["search", RECIPE, "--set", 'goal.budgets=["x"]', "--out", "OUT"], "goal.budgets.0"),
        (["search", RECIPE, "--set", "device=cuda:99", "--out", "OUT"], "GPUs"),
        (["search", RECIPE, "--set", "num_threads=99999", "--out", "OUT"], "num_threads"),
        (["search", RECIPE, "--set", "data.num_train=0", "--out", "OUT"], "num_train"),
        (
            ["search", RECIPE, "--set", "data.num_train=2.5", "--out", "OUT"],
            "data nas.datasets.digits.source.DigitPairs",
        ),
        (["search", RECIPE, "--set", "data.scans=3", "--out", "OUT"], "no argument"),
        (["search", RECIPE, "--set", "data.nm_train=3"], "no argument 'nm_train'; did you mean 'num_train'?"),
        (["search", RECIPE, "--set", "strategy.epoch=3"], "no field 'epoch'; did you mean 'strategy.epochs'?"),
        (["search", RECIPE, "--set", "stratgy.epochs=3"], "no field 'stratgy'; did you mean 'strategy.epochs'?"),
        (["search", RECIPE, "--set", "epochs=3"], "did you mean 'strategy.epochs' or 'retrain.epochs'?"),
        (["search", RECIPE, "--set", 'strategy.weights={"lrr": 1}'], "strategy.weights: there is no field 'lrr'"),
        (["search", RECIPE, "--set", "tasks.lft.weight=3"], "no field 'lft'; did you mean 'tasks.left.weight'?"),
        (["search", RECIPE, "--strategy", "simlarity"], "no strategy 'simlarity'; did you mean 'similarity'?"),
        (["search", RECIPE, "--preset", "quik"], "--preset: there is no preset 'quik'; did you mean 'quick'?"),
        (["search", RECIPE, "--set", "input_shape=[3,12,20]", "--out", "OUT"], "shape"),
        (["search", RECIPE, "--out", RECIPE], "is a file"),
        (["search", RECIPE, "--out", ""], "not empty"),
        (["search", RECIPE, "--out", "/dev/null/x"], "Not a directory"),
        (["search", RECIPE, "--out", "x" * 5000], "File name too long"),
        (["search", RECIPE, "--out", "OUT", "--resume", "--set", "strategy.epochs=0"], "strategy.epochs"),
        (["show", "nowhere"], "no such file"),
        (["show", "a\nb\x1b[31m"], r"a b\x1b[31m: no such file"),
        (["show", b"\xff".decode(errors="surrogateescape")], r"\udcff: no such file"),
        (["show", RECIPE], "JSON"),
        (["show", ""], "not a run folder"),
        (["retrain", RECIPE], "tree"),
        (["retrain", RECIPE, "--tree", "ab12"], "ab12: no such file"),
        (["retrain", RECIPE, "--tree", "ab12.json", "--resume"], "--out"),
        (["retrain", "nowhere"], "no such run"),
        (["evaluate", "nowhere"], "no such run"),
        (["compare", "."], "not a run folder"),
        (["profile", RECIPE, "--tree", "nowhere.json"], "nowhere.json"),
        (["profile", RECIPE, "--size", "0"], "size"),
        (["profile", RECIPE, "--set", "input_shape=[1,100000,100000]"], "input of shape"),
        (["data", RECIPE, "--out", "OUT/x.gif"], "gif"),
        (["data", RECIPE, "--out", "OUT/x.png"], "No such file or directory"),
        (["data", RECIPE, "--out", "OUT/x.png", "--split", "tests"], "split"),
        (["data", "digits", "--out", "OUT/x.png", "--set", "seed=1"], "--set"),
    ],
)
def test_wrong_arguments(arguments, words, tmp_path, capsys):
    arguments = [argument.replace("OUT", str(tmp_path / "out")) for argument in arguments]
    assert words in refused(capsys, *arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "text",
    [
        "=",
        "=5",
        ".=3",
        "search..epochs=5",
        "strategy.epochs=",
        "strategy.epochs=NaN",
        "strategy.epochs=1e400",
        "strategy.epochs=" + "9" * 5000,
        "strategy.epochs=" + "[" * 10_000,
        "strategy.epochs=\ud800",
        'strategy.epochs="\\ud800"',
        "\ud800=3",
        "a\nb=3",
        "strategy.penalty={",
        'strategy.penalty={"kind": "none"}',
        'strategy.penalty={"kind": "fixed", "weight": Infinity}',
        "strategy.penalty.kind=fixed",
        "tasks.left.loss=none",
        "tasks.left.name=right",
        "tasks=[1]",
        "data=null",
        "backbone=3",
        'backbone.widths="ab"',
        "backbone.widths=[-4, 3]",
        "backbone.self=3",
        "input_shape=[0]",
        "input_shape=[1, 12]",
        "input_shape=[99999999999999999999]",
        "__class__=3",
        "seed=-1",
        "num_workers=100000",
        "device=cuda:99999999999999999999",
    ],
)
def test_changes_that_cannot_be(text, capsys):
    assert len(refused(capsys, "profile", RECIPE, "--set", text)) < 1000


@few
@given(
    name=st.text(max_size=10)
    | st.sampled_from(
        ["search", "strategy.epochs", "goal.budgets", "strategy.penalty", "backbone.widths", "input_shape"]
    ),
    value=plain | st.text(max_size=10),
)
def test_any_change_is_taken_or_refused(name, value, capsys):
    text = value if isinstance(value, str) else json.dumps(value)
    refusal(capsys, "profile", RECIPE, "--set", f"{name}={text}")


@few
@given(budget=st.floats(max_value=0.22) | st.just(float("inf")) | st.text(max_size=3) | plain)
def test_budgets_that_no_tree_keeps_leave_no_folder(budget, tmp_path, capsys):
    text = json.dumps([budget])
    if isinstance(budget, bool | int | float) and 0.226 < budget < float("inf"):
        return  # one that a tree keeps
    refused(capsys, "search", RECIPE, "--out", tmp_path / "run", *changes(goal__budgets=text))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("more", [(), ("--resume",)])
def test_a_run_folder_in_the_place_of_a_recipe_is_told_where_it_belongs(more, tmp_path, capsys):
    (tmp_path / "experiment.json").write_text("{}")
    assert "name its recipe instead, and the folder with --out" in refused(capsys, "search", tmp_path, *more)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("keep")
    assert "not empty" in refused(capsys, "search", RECIPE, "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert "not a run folder" in refused(capsys, "search", RECIPE, "--out", tmp_path, "--resume")


def test_what_a_run_cannot_give(a_run, tmp_path, capsys):
    assert "no tree 'ffff'" in refused(capsys, "show", a_run, "--tree", "ffff")
    assert "no tree ''" in refused(capsys, "show", a_run, "--tree", "")
    assert "no such file" in refused(capsys, "retrain", a_run, "--tree", "../../x.json")
    assert "no finished training" in refused(capsys, "evaluate", a_run)
    assert "cannot change a run" in refused(
        capsys, "search", RECIPE, "--out", a_run, "--resume", "--set", "strategy.epochs=9"
    )
    assert "stays there" in refused(capsys, "retrain", a_run, "--out", tmp_path / "elsewhere")
    assert "suffix" in refused(capsys, "show", a_run, "--out", tmp_path / "tree.doc").lower()
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"schema_version": 1, "tasks": ["x"], "partitions": [[["x"]]] * 6}))
    assert "['x']" in refused(capsys, "retrain", a_run, "--tree", other)
    assert "['x']" in refused(capsys, "profile", RECIPE, "--tree", other)
    other.write_text(json.dumps({"schema_version": 1, "tasks": ["left"], "partitions": [[["left"]]] * 5}))
    assert "5 blocks" in refused(capsys, "retrain", a_run, "--tree", other)
    right = next((a_run / "trials/0/trees").iterdir())
    new = tmp_path / "new"
    assert "no supernet" in refused(capsys, "retrain", RECIPE, "--tree", right, "--out", new, "--from", "inherited")
    assert not new.exists()


@few
@given(data=st.data())
def test_any_tree_file_is_taken_or_refused(data, tmp_path, capsys):
    """Arbitrary records, other trees, and a right one with something replaced or cut off."""
    path = tmp_path / "tree.json"
    kind = data.draw(st.sampled_from(["any", "other", "replaced", "cut"]))
    record = data.draw(trees() if kind == "other" else trees(TASKS, num_blocks=6)).to_dict()
    if kind == "replaced":
        record[data.draw(st.sampled_from(sorted(record)))] = data.draw(plain)
    text = json.dumps(data.draw(plain) if kind == "any" else record)
    path.write_text(text[: data.draw(st.integers(0, len(text)))] if kind == "cut" else text)
    refusal(capsys, "show", path, "--out", tmp_path / "tree.dot")
    refusal(capsys, "profile", RECIPE, "--tree", path)
    refused(capsys, "retrain", RECIPE, "--tree", path, "--out", tmp_path / "run", "--from", "inherited")
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_changed_is_refused_until_allowed(own_run, tmp_path, capsys):
    recipe = tmp_path / "digits.py"
    recipe.write_text(Path(RECIPE).read_text() + "\n# a comment\n")
    tree = next((own_run / "trials/0/trees").iterdir()).stem
    command = ["retrain", str(own_run), "--tree", tree, "--recipe", str(recipe)]
    assert "--allow-changed" in refused(capsys, *command)
    assert run([*command, "--allow-changed"]) == 0
    recipe.unlink()
    assert "is gone" in refused(capsys, *command)


@pytest.mark.parametrize("name", ["experiment.json", "environment.json", "front.json", "trials/0/costs.json"])
@few
@given(data=st.data())
def test_damaged_records_are_named(a_run, name, data, capsys):
    """Cut short, or with a value replaced: whichever command meets the file says so, or does not need what is gone."""
    path = a_run / name
    whole = path.read_text()
    try:
        if data.draw(st.booleans()):
            path.write_text(whole[: data.draw(st.integers(0, len(whole) - 1))])
        else:
            record = json.loads(whole)
            place = record["points"][0] if name == "front.json" and data.draw(st.booleans()) else record
            place[data.draw(st.sampled_from(sorted(place)))] = data.draw(plain)
            path.write_text(json.dumps(record))
        for arguments in (["show", a_run], ["evaluate", a_run], ["search", RECIPE, "--out", a_run, "--resume"]):
            refusal(capsys, *arguments)
    finally:
        path.write_text(whole)


@pytest.mark.parametrize("place", ["../../../etc/passwd", "/etc/passwd", "trials/0/trees/../../../../x.json"])
def test_trees_outside_the_run_are_not_read(own_run, place, capsys):
    front = json.loads((own_run / "front.json").read_text())
    for point in front["points"]:
        point["tree"] = place
    (own_run / "front.json").write_text(json.dumps(front))
    for command in ("show", "retrain", "compare"):
        assert "points.0.tree" in refused(capsys, command, own_run)


def test_a_recipe_inside_the_run_is_not_executed(own_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(own_run)
    (own_run / "recipe.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    record = json.loads((own_run / "experiment.json").read_text())
    (tmp_path / "link.py").symlink_to(own_run / "recipe.py")
    within = (own_run / "recipe.py", own_run / "figures" / ".." / "recipe.py", "recipe.py")
    for recipe in (*within, tmp_path / "link.py", "/proc/self/cwd/recipe.py"):
        (own_run / "experiment.json").write_text(json.dumps(record | {"recipe": str(recipe)}))
        for command in ("retrain", "evaluate", "compare"):
            assert "--recipe" in refused(capsys, command, own_run)
    assert not (tmp_path / "ran").exists()


def test_an_old_pickle_as_checkpoint_runs_nothing(a_run, tmp_path, capsys):
    witness = tmp_path / "ran"

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(witness),)

    tree = next((a_run / "trials/0/trees").iterdir()).stem
    for content in (pickle.dumps(Hostile(), protocol=2), b"", b"PK\x03\x04", b"\x80\x02."):
        path = tmp_path / "epoch-0001.pt"
        path.write_bytes(content)
        assert "epoch-0001.pt" in refused(capsys, "evaluate", a_run, "--tree", tree, "--checkpoint", path)
    assert not witness.exists()


def unlike(value: object) -> st.SearchStrategy:
    """What ``weights_only`` lets through and a checkpoint of ours does not hold."""
    return st.sampled_from(
        [None, "x", [], {}, 1.5, float("nan"), torch.zeros(2), {"a": torch.zeros(1)}, {1: 2}]
    ).filter(lambda other: type(other) is not type(value) or isinstance(other, dict))


@settings(few, max_examples=10)
@given(data=st.data())
def test_checkpoints_that_hold_something_else_are_named(a_run, tmp_path, data, capsys):
    source = a_run / "trials/0/checkpoint/epoch-0002.pt"
    saved = torch.load(source, weights_only=True)
    field = data.draw(st.sampled_from(sorted(saved)))
    folder = tmp_path / "run"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(a_run, folder)
    (folder / "front.json").unlink()
    # A trial that has its result reads no checkpoint.
    (folder / "trials/0/result.json").unlink()
    for path in (folder / "trials/0/checkpoint").iterdir():
        path.unlink()
    torch.save(saved | {field: data.draw(unlike(saved[field]))}, folder / "trials/0/checkpoint/epoch-0002.pt")
    tree = next((folder / "trials/0/trees").iterdir())
    assert refusal(capsys, "evaluate", folder, "--tree", tree, "--checkpoint", source)
    # Without these a search cannot go on; the others are its records of the past.
    assert refusal(capsys, "search", RECIPE, "--out", folder, "--resume") or field in (
        "best_epoch",
        "best_loss",
        "history",
    )
    if field in ("tasks", "supernet", "logits_LTC"):
        assert refusal(capsys, "retrain", folder, "--tree", tree, "--from", "inherited")


def test_a_result_that_is_not_of_this_training_is_named(own_run, capsys):
    tree = next((own_run / "trials/0/trees").iterdir()).stem
    assert run(["retrain", str(own_run), "--tree", tree]) == 0
    (path,) = own_run.glob("retrained/*/*/result.json")
    result = json.loads(path.read_text())
    for wrong in (
        {"best_epoch": "1"},
        {"test": 3},
        {"test": {}},
        {"test": result["test"] | {"left": {"loss": 1.0}}},
        {"tree_id": "0"},
        {"more": 1},
    ):
        path.write_text(json.dumps(result | wrong))
        assert "result.json: not the result" in (refusal(capsys, "retrain", own_run, "--tree", tree) or "")
    path.write_text(json.dumps(result | {"best_epoch": 77}))
    assert "epoch-0077.pt: no such checkpoint" in refused(capsys, "evaluate", own_run)
