"""Whatever is wrong with the input: exit status 2, one line that says what and where, no traceback, nothing lost."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas.cli.main import run

RECIPE = str(Path(__file__).parents[2] / "runs" / "digits.py")
SMALL = [
    argument
    for change in (
        "data.num_train=32",
        "data.num_architecture=32",
        "data.num_validation=32",
        "data.num_test=32",
        "search.epochs=2",
        "search.batch_size=16",
        "search.budgets=[0.9]",
        "retrain.epochs=1",
        "num_threads=1",
    )
    for argument in ("--set", change)
]


@pytest.fixture(scope="module")
def a_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrong") / "run"
    assert run(["search", RECIPE, "--out", str(folder), *SMALL]) == 0
    return folder


def refused(capsys, *arguments: str) -> str:
    capsys.readouterr()
    status = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert status == 2, captured.err
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], None),
        (["serach"], "serach"),
        (["search"], "RECIPE"),
        (["search", "nowhere.py"], "nowhere.py: no such recipe"),
        (["search", RECIPE, "--set", "search.epochs"], "expected FIELD=VALUE"),
        (["search", RECIPE, "--set", "search.epochs=-1"], "search.epochs"),
        (["search", RECIPE, "--set", "search.budgets=[0.1]", "--out", "OUT"], "smallest feasible budget"),
        (["search", RECIPE, "--set", "search.budgets=[-1]", "--out", "OUT"], "budgets"),
        (["search", RECIPE, "--set", "device=cuda:99", "--out", "OUT"], "GPUs"),
        (["search", RECIPE, "--set", "data.num_train=0", "--out", "OUT"], "num_train"),
        (["search", RECIPE, "--set", "data.scans=3", "--out", "OUT"], "no argument"),
        (["search", RECIPE, "--set", "input_shape=[3,12,20]", "--out", "OUT"], "shape"),
        (["search", RECIPE, "--out", RECIPE], "is a file"),
        (["search", RECIPE, "--out", "OUT", "--resume", "--set", "search.epochs=0"], "search.epochs"),
        (["show", "nowhere"], "no such file"),
        (["show", RECIPE], "JSON"),
        (["retrain", RECIPE], "tree"),
        (["retrain", "nowhere"], "no such run"),
        (["evaluate", "nowhere"], "no such run"),
        (["compare", "."], "not a run folder"),
        (["profile", RECIPE, "--tree", "nowhere.json"], "nowhere.json"),
        (["profile", RECIPE, "--size", "0"], "size"),
        (["data", RECIPE, "--out", "OUT/x.gif"], "gif"),
        (["data", RECIPE, "--out", "OUT/x.png", "--split", "tests"], "split"),
    ],
)
def test_wrong_arguments(arguments, words, tmp_path, capsys):
    arguments = [argument.replace("OUT", str(tmp_path / "out")) for argument in arguments]
    if words is None:
        assert run(arguments) == 2
        return
    assert words in refused(capsys, *arguments)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("keep")
    assert "not empty" in refused(capsys, "search", RECIPE, "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert "not a run folder" in refused(capsys, "search", RECIPE, "--out", tmp_path, "--resume")


def test_what_a_run_cannot_give(a_run, tmp_path, capsys):
    assert "no tree 'ffff'" in refused(capsys, "show", a_run, "--tree", "ffff")
    assert "no finished training" in refused(capsys, "evaluate", a_run)
    assert "cannot change a run" in refused(
        capsys, "search", RECIPE, "--out", a_run, "--resume", "--set", "search.epochs=9"
    )
    assert "suffix" in refused(capsys, "show", a_run, "--out", tmp_path / "tree.doc").lower()
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"schema_version": 1, "tasks": ["x"], "partitions": [[["x"]]] * 6}))
    assert "['x']" in refused(capsys, "retrain", a_run, "--tree", other)
    assert "['x']" in refused(capsys, "profile", RECIPE, "--tree", other)
    other.write_text(json.dumps({"schema_version": 1, "tasks": ["left"], "partitions": [[["left"]]] * 5}))
    assert "5 blocks" in refused(capsys, "retrain", a_run, "--tree", other)


def test_a_recipe_that_changed_is_refused_until_allowed(a_run, tmp_path, capsys):
    copy = tmp_path / "run"
    shutil.copytree(a_run, copy)
    record = json.loads((copy / "experiment.json").read_text())
    recipe = tmp_path / "digits.py"
    recipe.write_text(Path(RECIPE).read_text())
    record["recipe"] = str(recipe)
    (copy / "experiment.json").write_text(json.dumps(record))
    recipe.write_text(recipe.read_text() + "\n# a comment\n")
    tree = next((copy / "trials/0/trees").iterdir()).stem
    assert "--allow-changed" in refused(capsys, "retrain", copy, "--tree", tree)
    assert run(["retrain", str(copy), "--tree", tree, "--allow-changed"]) == 0
    recipe.unlink()
    assert "is gone" in refused(capsys, "retrain", copy, "--tree", tree)


@pytest.mark.parametrize("name", ["experiment.json", "environment.json", "front.json", "trials/0/costs.json"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
            key = data.draw(st.sampled_from(sorted(record)))
            record[key] = data.draw(
                st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
            )
            path.write_text(json.dumps(record))
        for arguments in (["show", str(a_run)], ["evaluate", str(a_run)]):
            capsys.readouterr()
            status = run(arguments)
            error = capsys.readouterr().err
            assert status in (0, 2), error
            assert "Traceback" not in error
            assert status == 0 or len(error.strip().splitlines()) == 1
    finally:
        path.write_text(whole)


def test_an_old_pickle_as_checkpoint_runs_nothing(a_run, tmp_path, capsys):
    import os
    import pickle

    witness = tmp_path / "ran"

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(witness),)

    tree = next((a_run / "trials/0/trees").iterdir()).stem
    for content in (pickle.dumps(Hostile()), b"", b"PK\x03\x04", b"\x80\x02."):
        path = tmp_path / "epoch-0001.pt"
        path.write_bytes(content)
        assert "epoch-0001.pt" in refused(capsys, "evaluate", a_run, "--tree", tree, "--checkpoint", path)
    assert not witness.exists()
