"""`nas watch`: the progress of a run from its files, while another process writes them or after it has died."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from separate_process import start_command
from small_digits import RECIPE, changes, refused

from nas.cli import watch
from nas.cli.main import run
from nas.lock import hold_lock, is_held


def state_of(folder, capsys, status=0):
    capsys.readouterr()
    assert run(["watch", str(folder), "--once", "--json"]) == status
    return json.loads(capsys.readouterr().out)


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def unfinished(folder):
    """Make a finished search one that was killed after its last epoch."""
    (folder / "front.json").unlink()
    (folder / "trials/0/result.json").unlink()
    return folder


@pytest.fixture
def begun(tmp_path):
    """A run of two trials. The first began 100 s ago with two epochs done, and finished its fourth 20 s ago."""
    trial, now = tmp_path / "trials/0", time.time()
    trial.mkdir(parents=True)
    trials = {"seeds": 2, "budgets": [], "num_samples": 1, "max_trials": None}
    record = {"experiment": {"trials": trials, "goal": {"resource": "macs"}}}
    (tmp_path / "experiment.json").write_text(json.dumps(record))
    (trial / "begun.json").write_text('{"num_epochs": 6, "epochs_done": 2}')
    losses = [{"epoch": i, "weights": {"total": 4.0 - i, "tasks": {"a": 1.0}}} for i in range(4)]
    (trial / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in losses))
    os.utime(tmp_path / "experiment.json", (now - 110, now - 110))
    os.utime(trial / "begun.json", (now - 100, now - 100))
    os.utime(trial / "metrics.jsonl", (now - 20, now - 20))
    lock = tmp_path / ".lock"
    with hold_lock(lock, ""):
        os.utime(lock, (now - 110, now - 110))
        yield tmp_path


def test_a_finished_search_is_shown_with_its_front(a_run, capsys):
    before = files_of(a_run)
    state = state_of(a_run, capsys)
    assert state["state"] == "finished"
    assert [(trial["state"], trial["epoch"], trial["num_epochs"]) for trial in state["trials"]] == [("done", 2, 2)]
    points = [point for point in json.loads((a_run / "front.json").read_text())["points"] if not point["dominated"]]
    assert [point["cost"] for point in state["front"]] == [point["cost"]["macs"] for point in points]
    assert run(["watch", str(a_run)]) == 0
    shown = capsys.readouterr().out
    assert all(point["tree_id"] in shown for point in state["front"])
    assert files_of(a_run) == before


def test_time_left_is_that_of_the_epochs_since_the_beginning(begun, capsys):
    state = state_of(begun, capsys)
    assert state["state"] == "running"
    first, second = state["trials"]
    assert (first["state"], first["epoch"], second["state"]) == ("running", 4, "waiting")
    # Two epochs in 80 s, two to go, and 20 s of them have passed.
    assert first["seconds_left"] == pytest.approx(2 * 40 - 20, abs=3)
    # The six epochs of the second trial come after them.
    assert state["seconds_left"] == pytest.approx(8 * 40 - 20, abs=3)
    assert state["idle"] == pytest.approx(20, abs=3)


def test_a_line_that_is_half_written_is_not_counted(begun, capsys):
    metrics = begun / "trials/0/metrics.jsonl"
    metrics.write_text(metrics.read_text()[:-9])
    assert state_of(begun, capsys)["trials"][0]["epoch"] == 3
    (begun / "front.json").write_text('{"points": [{"tree": "tr')
    assert state_of(begun, capsys)["front"] is None


def test_what_an_earlier_command_left_is_not_running(begun, capsys):
    os.utime(begun / ".lock", (time.time() - 50,) * 2)
    assert state_of(begun, capsys)["trials"][0]["state"] == "unfinished"


def test_names_and_reasons_of_a_run_are_printed_as_text(begun, capsys):
    (begun / "trials/0/failure.json").write_text(json.dumps({"reason": "[red]no\x1b[2J disk"}))
    assert run(["watch", str(begun), "--once"]) == 0
    assert r"[red]no\x1b[2J disk" in capsys.readouterr().out


def test_a_run_that_died_and_one_that_failed_have_status_one(own_run, capsys):
    unfinished(own_run)
    assert state_of(own_run, capsys, status=1)["state"] == "stopped"
    assert run(["watch", str(own_run), "--once"]) == 1
    assert "no process on this machine works on this run, and it is not finished" in capsys.readouterr().err
    (own_run / "trials/0/failure.json").write_text('{"reason": "loss of depth is NaN"}')
    assert run(["watch", str(own_run)]) == 1
    assert "trial 0 failed: loss of depth is NaN" in capsys.readouterr().err


def test_it_waits_until_the_run_ends(own_run, capsys, monkeypatch):
    monkeypatch.setattr(watch, "_SECONDS", 0.02)
    monkeypatch.setattr(watch, "_GRACE", 0.0)
    front, result = (own_run / name for name in ("front.json", "trials/0/result.json"))
    texts = {path: path.read_text() for path in (front, result)}
    unfinished(own_run)
    held = threading.Event()

    def finish():
        with hold_lock(own_run / ".lock", ""):
            (own_run / "trials/0/begun.json").touch()
            held.set()
            time.sleep(0.3)
            for path, text in texts.items():
                path.write_text(text)

    writer = threading.Thread(target=finish)
    writer.start()
    held.wait()
    assert run(["watch", str(own_run)]) == 0
    writer.join()
    said = capsys.readouterr()
    assert [line.partition(",")[0] for line in said.err.splitlines()] == ["trial 0: epoch 2/2"] * 2
    assert said.err.splitlines()[-1].endswith("done")


@pytest.mark.slow
def test_a_search_is_followed_to_its_end_or_its_death(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"
    arguments = ["search", RECIPE, "--out", str(folder), *changes(strategy__epochs=3)]
    process = start_command(*arguments)
    wait_for(folder / "experiment.json", process)
    assert run(["watch", str(folder)]) == 0
    process.join()
    assert process.exitcode == 0
    followed = capsys.readouterr()
    assert "trial 0: epoch 3/3, done" in followed.err
    assert "finished: 1 done" in followed.out
    # A training is followed as well, and a killed one is not taken for a finished one.
    monkeypatch.setattr(watch, "_GRACE", 0.5)
    process = start_command("retrain", str(folder), "--tree", "shared", "--set", "retrain.epochs=400")
    wait_for(folder / "retrained", process, "*/*/metrics.jsonl")
    watcher = subprocess.Popen(
        [sys.executable, "-m", "nas", "watch", str(folder)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert "epoch" in watcher.stderr.readline()
    watcher.send_signal(signal.SIGINT)
    assert watcher.wait() == 130
    watcher.stderr.close()
    assert process.is_alive()
    process.kill()
    process.join()
    assert run(["watch", str(folder)]) == 1
    assert "unfinished" in capsys.readouterr().out


def wait_for(folder, process, pattern=None):
    while not (any(folder.glob(pattern)) if pattern else folder.exists()):
        assert process.is_alive()
        time.sleep(0.02)


def test_it_needs_no_torch_and_says_what_is_no_run(a_run, tmp_path, capsys):
    code = f"import sys; sys.modules['torch'] = None; from nas.cli.main import run; run(['watch', {str(a_run)!r}])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    assert "finished: 1 done" in done.stdout, done.stderr
    assert "no such run folder" in refused(capsys, "watch", tmp_path / "none")
    assert "it has no experiment.json" in refused(capsys, "watch", tmp_path)


def test_looking_at_a_lock_neither_takes_nor_makes_it(tmp_path):
    path = tmp_path / ".lock"
    assert not is_held(path)
    assert not path.exists()
    with hold_lock(path, "busy"):
        assert is_held(path)
        assert is_held(path)
    assert not is_held(path)
