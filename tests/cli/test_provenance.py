"""A run resumes with the code that it began with, and imports only its owner's code; a run is locked and may be
read-only."""

import json
import os
import shutil
import sys

import pytest
from small_digits import refused

from nas.cli.main import run
from nas.lock import hold_lock

RECIPE = """
from net import Net
from toys import IN_FEATURES, ToyData, toy_tasks
from nas import Experiment, Goal, Gradient, lazy

def experiment():
    return Experiment(
        tasks=toy_tasks(2), backbone=lazy(Net), data=lazy(ToyData, tasks=toy_tasks(2)), input_shape=(IN_FEATURES,),
        goal=Goal(budgets=(0.9,)), strategy=Gradient(epochs=1, candidates="plain"), retrain={"epochs": 1},
        compare={"seeds": (0,), "random_trees": 0}, device="cpu", num_threads=1,
    )
"""
NET = """
from toys import VectorBackbone

def Net():
    return VectorBackbone(width=8)
"""


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project with a finished search and a trained network. No test changes them."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "recipe.py").write_text(RECIPE)
    (folder / "net.py").write_text(NET)
    assert run(["search", str(folder / "recipe.py"), "--out", str(folder / "run")]) == 0
    assert run(["retrain", str(folder / "run")]) == 0
    return folder


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the run, and its recipe as --recipe."""
    folder = tmp_path / "project"
    shutil.copytree(finished, folder)
    return folder


@pytest.fixture
def a_run(finished, tmp_path):
    """A copy of the run; its recipe is where it was."""
    shutil.copytree(finished / "run", tmp_path / "run")
    return tmp_path / "run"


def commands(folder, recipe):
    """Whatever imports the recipe of a run."""
    named = () if recipe is None else ("--recipe", recipe)
    yield "evaluate", folder, *named
    yield "retrain", folder, "--seed", 1, *named
    yield "compare", folder, *named
    yield "export", folder, "--format", "bundle", *named


def edit_record(folder, **fields):
    path = folder / "experiment.json"
    record = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({name: value for name, value in record.items() if value is not None}))


def test_a_module_that_was_edited_is_refused_by_every_command_until_allowed(project, capsys):
    recipe = project / "recipe.py"
    (project / "net.py").write_text(NET + "# looks harmless\n")
    for command in commands(project / "run", recipe):
        message = refused(capsys, *command)
        assert "modules that it imports differ or are gone: net" in message
        assert "--allow-changed" in message
    (project / "run" / "front.json").unlink()
    assert "net" in refused(capsys, "search", recipe, "--out", project / "run", "--resume")
    assert run(["evaluate", str(project / "run"), "--recipe", str(recipe), "--allow-changed"]) == 0


@pytest.mark.parametrize(
    ("edited", "words"),
    [
        (NET.replace("8", "16"), "stem: 0.weight is of shape 16x5, and was of shape 8x5"),
        (NET.replace("width=8", "4, 8"), "the backbone has 4 blocks, and had 3"),
    ],
    ids=["wider", "longer"],
)
def test_other_networks_are_refused_though_the_code_is_not_recorded(project, capsys, edited, words):
    edit_record(project / "run", modules=None)
    (project / "net.py").write_text(edited)
    for command in commands(project / "run", project / "recipe.py"):
        assert words in refused(capsys, *command)


def test_a_run_of_before_these_records_opens(project):
    edit_record(project / "run", modules=None, number=None, id=None)
    costs = project / "run" / "trials/0/costs.json"
    record = json.loads(costs.read_text())
    del record["shapes"]
    # An older version may have counted otherwise.
    record["stem"]["macs"] += 1
    costs.write_text(json.dumps(record))
    assert run(["evaluate", str(project / "run"), "--recipe", str(project / "recipe.py")]) == 0


def test_moved_and_copied_runs_are_still_their_owners(a_run, tmp_path, capsys):
    assert run(["evaluate", str(a_run)]) == 0
    a_run.rename(tmp_path / "moved")
    assert run(["evaluate", str(tmp_path / "moved")]) == 0


def test_a_run_of_somebody_else_runs_no_code(a_run, finished, tmp_path, capsys, monkeypatch):
    """Neither by its own recipe nor by one that somebody has written into the record."""
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (tmp_path / "link.py").symlink_to(tmp_path / "evil.py")
    monkeypatch.chdir(tmp_path)
    for recipe in (tmp_path / "evil.py", tmp_path / "link.py", "/proc/self/cwd/evil.py", "evil.py", "x" * 9999):
        edit_record(a_run, recipe=str(recipe))
        for command in commands(a_run, None):
            assert "--recipe" in refused(capsys, *command) or len(str(recipe)) > 4096
    for run_id in (None, "f" * 32, "../../evil", 3):
        edit_record(a_run, recipe=str(finished / "recipe.py"), id=run_id)
        assert "--recipe" in refused(capsys, "evaluate", a_run)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "of somebody else"))
    shutil.rmtree(a_run)
    shutil.copytree(finished / "run", a_run)
    assert "has no note of that; name your recipe with --recipe" in refused(capsys, "evaluate", a_run)
    assert run(["evaluate", str(a_run), "--recipe", str(finished / "recipe.py")]) == 0
    assert not (tmp_path / "ran").exists()


def test_without_a_writable_home_a_run_begins_and_says_that_its_recipe_has_to_be_named(
    finished, tmp_path, capsys, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    folder = tmp_path / "run"
    assert run(["search", str(finished / "recipe.py"), "--out", str(folder)]) == 0
    assert "so name its recipe in later commands" in capsys.readouterr().err
    assert "--recipe" in refused(capsys, "retrain", folder)
    assert run(["retrain", str(folder), "--recipe", str(finished / "recipe.py")]) == 0


def writers(folder):
    yield "retrain", folder, "--seed", 1
    yield "compare", folder
    yield "export", folder, "--format", "bundle"


def contents(folder):
    """Every path with its time of change, and the content of files."""
    return {
        path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in [folder, *folder.rglob("*")]
    }


def test_every_writer_waits_its_turn(a_run, capsys):
    with hold_lock(a_run / ".lock", ""):
        for command in writers(a_run):
            assert f"{a_run}: another process is writing into this run" in refused(capsys, *command)
    assert len(list(a_run.glob("retrained/*/*"))) == 1
    assert not (a_run / "exports").exists()


def test_a_lock_that_is_a_link_or_a_folder_is_refused_before_the_work(a_run, tmp_path, capsys):
    target = tmp_path / "thesis.tex"
    target.write_text("years of work")
    (a_run / ".lock").unlink()
    (a_run / ".lock").symlink_to(target)
    for command in writers(a_run):
        assert ".lock: is a link; a lock must be a regular file, so remove it" in refused(capsys, *command)
    assert target.read_text() == "years of work"
    (a_run / ".lock").unlink()
    (a_run / ".lock").mkdir()
    for command in writers(a_run):
        assert ".lock: is a folder" in refused(capsys, *command)


def test_a_read_only_run_is_read_and_evaluated_and_nothing_else(a_run, capsys, monkeypatch):
    real = os.open

    def read_only(path, flags, *rest, **named):
        if flags & os.O_CREAT and str(path).startswith(str(a_run)):
            raise OSError(30, "Read-only file system")
        return real(path, flags, *rest, **named)

    before = contents(a_run)
    monkeypatch.setattr(os, "open", read_only)
    for command in writers(a_run):
        message = refused(capsys, *command)
        assert (
            f"{a_run}: may not be written to (Read-only file system); a read-only run can be shown and evaluated"
            in message
        )
    assert run(["evaluate", str(a_run)]) == 0
    assert run(["show", str(a_run)]) == 0
    # A training that is done is only read.
    assert run(["retrain", str(a_run)]) == 0
    assert contents(a_run) == before


def test_a_folder_of_a_comparison_that_may_not_be_written_is_told_before_its_trainings(a_run, capsys):
    (a_run / "compare").touch()
    assert "compare" in refused(capsys, "compare", a_run)
    assert len(list(a_run.glob("retrained/*/*"))) == 1
