"""`--resume` finds what there is to go on from; a run has one writer."""

import json
import os
import shutil
from pathlib import Path

import pytest
from small_digits import RECIPE, changes, refused

from nas.cli.main import run
from nas.lock import hold_lock
from nas.recipe import load_recipe
from nas.run import RunFolder
from nas.run.default_folder import default_folder, latest_unfinished


@pytest.fixture
def recipe(tmp_path):
    """The digits recipe in a folder of its own, whose default run folders are beside it."""
    path = tmp_path / "mine.py"
    path.write_text(Path(RECIPE).read_text())
    return path


def unfinished(folder: Path) -> None:
    """Take a finished search back to before its last act."""
    (folder / "front.json").unlink()


def search(*arguments: object) -> int:
    return run(["search", *map(str, arguments)])


def test_the_front_is_the_same_after_any_stop_between_two_files(own_run, capsys):
    front = (own_run / "front.json").read_bytes()
    unfinished(own_run)
    shutil.rmtree(own_run / "figures")
    assert search(RECIPE, "--out", own_run, "--resume") == 0
    assert (own_run / "front.json").read_bytes() == front


@pytest.mark.parametrize("left", [[], ["environment.json"], [".lock", ".0123456789abcdef.tmp"]])
def test_what_stopped_before_its_record_was_written_starts_anew(pristine, tmp_path, left, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in left:
        (folder / name).write_text("{}")
    assert search(RECIPE, "--out", folder, "--resume", *changes()) == 0
    message = capsys.readouterr().err
    assert "no run to resume; starting a new one, with data.num_train=64, " in message
    assert "what an earlier command set with --set is lost" in message
    assert "resuming" not in message
    assert (folder / "front.json").read_bytes() == (pristine / "front.json").read_bytes()
    assert not (folder / ".0123456789abcdef.tmp").exists()


def test_only_our_own_temporary_files_are_removed(own_run):
    checkpoint = own_run / "trials/0/checkpoint"
    (checkpoint / ".0123456789abcdef.tmp").write_bytes(b"half")
    (checkpoint / ".mine.tmp").write_bytes(b"whole")
    with RunFolder(own_run).locked():
        assert {path.name for path in checkpoint.glob(".*")} == {".mine.tmp"}


def test_a_second_writer_is_refused_and_changes_nothing(own_run, capsys):
    unfinished(own_run)
    before = {path: path.stat().st_mtime_ns for path in own_run.rglob("*") if path.name != ".lock"}
    tree = next((own_run / "trials/0/trees").iterdir())
    with hold_lock(own_run / ".lock", ""):
        for arguments in (["search", RECIPE, "--out", own_run, "--resume"], ["retrain", own_run, "--tree", tree]):
            assert "another process" in refused(capsys, *arguments)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_two_that_start_in_one_new_folder_do_not_both_begin(tmp_path, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    with hold_lock(folder / ".lock", ""):
        assert "another process" in refused(capsys, "search", RECIPE, "--out", folder, *changes())
    assert not (folder / "experiment.json").exists()


def test_another_recipe_and_other_changes_are_refused(own_run, recipe, capsys):
    unfinished(own_run)
    recipe.write_text(recipe.read_text().replace("seeds=(0, 1, 2)", "seeds=(0, 1)") + "# another\n")
    assert "--allow-changed" in refused(capsys, "search", recipe, "--out", own_run, "--resume")
    again = ["search", RECIPE, "--out", own_run, "--resume", "--set"]
    assert "strategy.epochs" in refused(capsys, *again, "strategy.epochs=9")
    assert "seed" in refused(capsys, *again, "seed=0")
    assert search(RECIPE, "--out", own_run, "--resume", "--set", "strategy.epochs=2") == 0


def test_without_a_folder_it_is_the_recipes_latest_unfinished_search(own_run, recipe, capsys):
    assert "no unfinished run" in refused(capsys, "search", recipe, "--resume")
    out = recipe.parent / "out" / "mine"
    for name in ("2026-01-01_10-00-00", "2026-01-01_10-00-01", "2026-01-02_10-00-00", "2026-01-03_10-00-00"):
        shutil.copytree(own_run, out / name)
        record = json.loads((out / name / "experiment.json").read_text())
        record["recipe"] = str(recipe)
        (out / name / "experiment.json").write_text(json.dumps(record))
    for name in ("2026-01-01_10-00-00", "2026-01-01_10-00-01", "2026-01-03_10-00-00"):
        unfinished(out / name)
    # A recipe that was retrained with somebody's tree has a folder like a search's, without the search.
    shutil.rmtree(out / "2026-01-03_10-00-00" / "trials")
    (out / "2026-01-03_10-00-00" / "retrained").mkdir()
    capsys.readouterr()
    assert search(recipe, "--resume", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["run"].endswith("2026-01-01_10-00-01")
    assert captured.err.splitlines()[0] == f"resuming {out / '2026-01-01_10-00-01'}"
    assert search(recipe, "--resume", "--json") == 0
    assert json.loads(capsys.readouterr().out)["run"].endswith("2026-01-01_10-00-00")
    assert "no unfinished run" in refused(capsys, "search", recipe, "--resume")


def test_the_latest_run_is_the_one_begun_last_whatever_the_clock_said(recipe):
    """The clock goes back, a time zone changes, folders are renamed, and the record of one is damaged."""
    experiment, out = load_recipe(recipe), recipe.parent / "out" / "mine"
    for name in ("2026-03-01_10-00-00", "2026-01-01_10-00-00", "2026-02-01_10-00-00"):
        RunFolder(out / name).begin(experiment, recipe, {}, {"num_threads": 1})
        assert latest_unfinished(recipe) == out / name
    (out / "2026-02-01_10-00-00").rename(out / "2025-01-01_10-00-00")
    (out / "2026-03-01_10-00-00" / "experiment.json").write_text('{"number": "9"')
    assert latest_unfinished(recipe) == out / "2025-01-01_10-00-00"
    # Older versions did not number their runs.
    shutil.copytree(out / "2026-01-01_10-00-00", out / "2027-01-01_10-00-00")
    record = json.loads((out / "2027-01-01_10-00-00" / "experiment.json").read_text())
    del record["number"]
    (out / "2027-01-01_10-00-00" / "experiment.json").write_text(json.dumps(record))
    assert latest_unfinished(recipe) == out / "2025-01-01_10-00-00"


def test_a_retraining_that_begins_with_resume_says_what_is_lost(own_run, tmp_path, capsys):
    tree = next((own_run / "trials/0/trees").iterdir())
    command = ["retrain", RECIPE, "--tree", str(tree), "--out", str(tmp_path / "new"), "--resume", *changes()]
    assert run(command) == 0
    assert "no run to resume; starting a new one, with data.num_train=64, " in capsys.readouterr().err
    assert run(command) == 0
    assert "no run to resume" not in capsys.readouterr().err


def test_runs_of_one_second_get_folders_of_their_own(recipe):
    first = default_folder(recipe)
    first.mkdir(parents=True)
    assert default_folder(recipe) not in (first, first.parent)


def test_changes_in_python_are_recorded_as_json_has_them(tmp_path):
    experiment = load_recipe(Path(RECIPE))
    folder = RunFolder(tmp_path / "run")
    folder.begin(experiment, Path(RECIPE), {"goal.budgets": (0.4, 0.5)}, {"num_threads": 1})
    assert RunFolder.open(folder.path).record["overrides"] == {"goal.budgets": [0.4, 0.5]}
    for value in (float("nan"), experiment.data, os):
        with pytest.raises(ValueError, match="plain data"):
            RunFolder(tmp_path / "other").begin(experiment, None, {"data": value}, {})
    assert not (tmp_path / "other").exists()


def test_a_training_that_was_begun_is_not_begun_again(own_run, capsys):
    tree = next((own_run / "trials/0/trees").iterdir()).stem
    command = ["retrain", str(own_run), "--tree", tree, "--json"]
    assert run(command) == 0
    result = json.loads(capsys.readouterr().out)
    (path,) = own_run.glob("retrained/*/*/result.json")
    path.unlink()
    assert "--resume" in refused(capsys, *command)
    assert run([*command, "--resume"]) == 0
    assert json.loads(capsys.readouterr().out) == result
