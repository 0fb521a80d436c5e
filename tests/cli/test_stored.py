"""What a job does that works on a stored run: fetched, worked on, and stored again."""

import subprocess
import sys
import time

import pytest
from small_digits import RECIPE

from nas.cli import stored as stored_module
from nas.cli.stored import run_stored
from nas.launch.run_storage import RunStorage
from nas.launch.storage import Storage

pytest.importorskip("pyarrow")


@pytest.fixture
def store(pristine, tmp_path):
    """A storage with a finished search called "run"."""
    kept = RunStorage(str(tmp_path / "store"), "run")
    kept.upload_run(pristine)
    kept.upload_trial(0, pristine / "trials" / "0")
    return tmp_path / "store"


def retrain(store, folder, *options):
    arguments = ["retrain", str(folder), "--recipe", RECIPE, "--resume", *options]
    return run_stored(str(store), folder, arguments)


def test_a_retraining_of_a_stored_run_is_stored(store, tmp_path):
    folder = tmp_path / "job" / "run"
    assert retrain(store, folder) == 0
    kept = Storage(str(store)).files("run")
    (result,) = folder.glob("retrained/*/*/result.json")
    assert str(result.relative_to(folder)) in kept
    assert not list(folder.glob("trials/*/checkpoint/*")), "nothing is inherited"
    assert {"front.json", "experiment.json"} <= set(kept)
    assert Storage(str(store)).files("run/trials/0"), "what the command did not touch is still there"
    # Submitted again it has nothing left to do, on a machine that never saw the run.
    again = tmp_path / "other" / "run"
    assert retrain(store, again) == 0
    assert (again / result.relative_to(folder)).read_bytes() == result.read_bytes()
    assert retrain(store, tmp_path / "third" / "run", "--from", "inherited") == 0


def test_what_was_done_when_a_retraining_was_lost_is_stored(store, tmp_path, monkeypatch):
    monkeypatch.setattr(stored_module, "SECONDS_BETWEEN_UPLOADS", 0.01)
    seen = []

    def lost(arguments):
        folder = tmp_path / "job" / "run"
        (folder / "retrained").mkdir()
        (folder / "retrained" / "epoch").write_text("1")
        while "retrained/epoch" not in Storage(str(store)).files("run"):
            pass
        seen.append(True)
        raise KeyboardInterrupt

    monkeypatch.setattr(stored_module, "run", lost)
    with pytest.raises(KeyboardInterrupt):
        retrain(store, tmp_path / "job" / "run")
    assert seen


@pytest.mark.slow
def test_a_retraining_that_is_ended_goes_on_when_it_is_submitted_again(store, tmp_path):
    folder, many = tmp_path / "job" / "run", ("--set", "retrain.epochs=40")
    arguments = ["retrain", str(folder), "--recipe", RECIPE, "--resume", *many]
    command = [sys.executable, "-m", "nas.cli.stored", str(store), str(folder), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(folder.glob("retrained/*/*/checkpoint/epoch-0003.pt")):
        time.sleep(0.01)
    process.terminate()
    assert process.wait() == 143
    kept = [path for path in Storage(str(store)).files("run") if "/checkpoint/" in path]
    assert kept
    assert not list(folder.glob("retrained/*/*/result.json"))
    again = tmp_path / "other" / "run"
    assert retrain(store, again, *many) == 0
    (metrics,) = again.glob("retrained/*/*/metrics.jsonl")
    assert len(metrics.read_text().splitlines()) == 40


def test_a_comparison_of_a_run_that_is_not_stored_is_refused(store, tmp_path, capsys):
    folder = tmp_path / "job" / "gone"
    assert run_stored(str(store), folder, ["compare", str(folder), "--recipe", RECIPE]) == 2
    assert "gone: no such run folder" in capsys.readouterr().err
    assert not Storage(str(store)).holds("gone")


def test_storage_that_is_none_is_named(tmp_path, capsys):
    assert run_stored("runs", tmp_path / "run", ["compare", str(tmp_path / "run")]) == 2
    assert "is not a storage" in capsys.readouterr().err
