"""What several trials survive, and what stays behind of them: drivers, as commands, each with a Ray of its own."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("ray")

RECIPE = Path(__file__).with_name("toy_trials.py")
pytestmark = pytest.mark.slow

TIMEOUT = 900
"""Seconds for a command that takes 20 on a machine of its own."""


def settings(**fields):
    """``--set`` arguments; "__" stands for a dot."""
    return [part for name, value in fields.items() for part in ("--set", f"{name.replace('__', '.')}={value}")]


def start(*arguments):
    command = [sys.executable, "-c", "from nas.cli import main; main()", "search", str(RECIPE), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(*arguments, status=0):
    process = start(*arguments)
    output, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == status, errors
    return output, errors


def wait_for(condition):
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def num_checkpoints(folder):
    """Epochs that any trial has finished."""
    return sum(len(path.read_text().splitlines()) for path in folder.glob("trials/*/metrics.jsonl"))


def files(run):
    """All that a run found and how, without times."""
    names = ["front.json", *(str(path.relative_to(run)) for path in run.glob("trials/*/*.json*"))]
    return {name: (run / name).read_bytes() for name in sorted(names)}


def children_of(pid):
    """A process and all below it."""
    found = [pid]
    for number in found:
        for path in Path(f"/proc/{number}/task").glob("*/children"):
            found += [int(child) for child in path.read_text().split()]
    return found


def workers_of(pid):
    """Processes below a driver that run trials."""
    return [child for child in children_of(pid) if child != pid and "ray::" in _command(child)]


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def listeners(pids):
    """Addresses that processes listen on, by the kernel's tables."""
    sockets = set()
    for pid in pids:
        for path in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = os.readlink(path)
            except OSError:
                continue
            if target.startswith("socket:["):
                sockets.add(target[len("socket:[") : -1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                found.append(fields[1].rpartition(":")[0])
    return found


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
"""127.0.0.1, the same as an address of IPv6, and ::1, as the kernel writes them."""

GRID = settings(trials__budgets=[0.6, 0.9], trials__seeds=[0, 4], trials__max_trials=3, data__wait=0.05)
"""Three trials of four epochs."""


def test_a_driver_that_is_killed_three_times_ends_with_the_front_of_one_that_was_not(tmp_path):
    finish("--out", tmp_path / "undisturbed", *GRID)
    rng = random.Random(0)
    folder = tmp_path / "killed"
    arguments = GRID
    for count in (1, 3, 6):
        process = start("--out", folder, *arguments)
        wait_for(lambda count=count, process=process: process.poll() is not None or num_checkpoints(folder) >= count)
        time.sleep(rng.uniform(0, 0.5))
        workers = workers_of(process.pid)
        process.kill()
        process.communicate()
        # Nobody goes on writing: what ran trials ends with the driver.
        wait_for(lambda workers=workers: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        arguments = ["--resume"]
    _, errors = finish("--out", folder, "--resume")
    assert "Traceback" not in errors
    assert files(folder) == files(tmp_path / "undisturbed")


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [
        (signal.SIGINT, 130, "interrupted"),
        pytest.param(signal.SIGTERM, 143, "stopped by SIGTERM", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_driver_says_how_to_go_on_and_leaves_no_process(number, status, words, tmp_path):
    folder = tmp_path / "run"
    process = start("--out", folder, *GRID)
    wait_for(lambda: process.poll() is not None or num_checkpoints(folder) >= 2)
    everybody = children_of(process.pid)
    found = listeners(everybody)
    process.send_signal(number)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == status, errors
    assert errors.splitlines()[-1].startswith(words)
    assert "Traceback" not in errors
    # Ray's own helpers take a moment.
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in everybody))
    assert found, "Ray listens on something"
    assert set(found) <= LOOPBACK


def test_trials_that_fail_are_recorded_and_do_not_stop_the_others_and_are_tried_again(tmp_path, monkeypatch):
    """Proposed values that break the data: each fault has its own reason; what fails once goes on."""
    processes = tmp_path / "processes"
    processes.mkdir()
    ranges = {"data.fault": {"kind": "choice", "values": ["", "nan", "bug", "memory"]}}
    folder = tmp_path / "run"
    changes = settings(
        trials__ranges=json.dumps(ranges), trials__num_samples=10, trials__sampler="random", trials__max_failures=1
    )
    output, errors = finish("--out", folder, *changes, "--json")
    assert "Traceback" not in errors
    outcomes = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("trials/*/failure.json")}
    causes = {
        number: json.loads((folder / "trials" / number / "trial.json").read_text())["values"]["data.fault"]
        for number in outcomes
    }
    expected = {"nan": "input", "bug": "input", "memory": "machine"}
    assert set(causes.values()) == set(expected), "ten draws of four, by the experiment's seed, have them all"
    for number, outcome in outcomes.items():
        assert outcome["cause"] == expected[causes[number]]
        assert outcome["num_attempts"] == (2 if causes[number] == "memory" else 1)
        assert f"trial {number} failed" in errors
    assert len(json.loads(output)["points"]) == 2 * (10 - len(outcomes))
    # Nothing that is done is repeated; what failed is.
    before = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/result.json")}
    _, errors = finish("--out", folder, "--resume")
    assert {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/result.json")} == before
    assert errors.count("epochs to go") == sum(outcome["num_attempts"] for outcome in outcomes.values())


def test_when_all_fail_the_reason_is_the_commands(tmp_path):
    # Proposed, because the command itself reads the data of a recipe that names the fault.
    ranges = json.dumps({"data.fault": {"kind": "choice", "values": ["nan", "bug"]}})
    changes = settings(trials__ranges=ranges, trials__num_samples=2, trials__sampler="random")
    _, errors = finish("--out", tmp_path / "run", *changes, status=2)
    assert "error: all trials failed: data: NaN in the input of sample 0 of split 'train'" in errors.splitlines()[-1]


def test_a_time_limit_leaves_trials_that_a_later_command_goes_on_with(tmp_path):
    finish("--out", tmp_path / "undisturbed", *GRID)
    folder = tmp_path / "run"
    process = start("--out", folder, *GRID, *settings(trials__time_limit=1000, trials__concurrency=1))
    wait_for(lambda: process.poll() is not None or (folder / "trials/0/result.json").is_file())
    process.kill()
    process.communicate()
    status = start("--out", folder, "--resume", *settings(trials__time_limit=0.1))
    _, errors = status.communicate(timeout=TIMEOUT)
    assert status.returncode == 0, errors
    assert "time limit left trials 1, 2 unfinished" in errors
    finish("--out", folder, "--resume", *settings(trials__time_limit=1000))
    assert files(folder) == files(tmp_path / "undisturbed")


def test_asha_stops_the_worse_trials_and_they_stay_stopped(tmp_path):
    ranges = {"strategy.weights.lr": {"kind": "choice", "values": [1e-6, 1e-2]}}
    folder = tmp_path / "run"
    changes = settings(
        trials__ranges=json.dumps(ranges),
        trials__num_samples=10,
        trials__sampler="random",
        trials__objectives='["quality"]',
        trials__scheduler="asha",
        strategy__epochs=20,
        trials__concurrency=1,
    )
    finish("--out", folder, *changes)
    results = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("trials/*/result.json")}
    assert len(results) == 10
    rates = {
        number: json.loads((folder / "trials" / number / "trial.json").read_text())["values"]["strategy.weights.lr"]
        for number in results
    }
    stopped = {number for number, result in results.items() if result["status"] == "stopped"}
    assert stopped
    assert len(stopped) < len(results)
    assert {rates[number] for number in results.keys() - stopped} >= {1e-2}
    # What is stopped has learnt next to nothing: of a rate so low.
    assert sum(rates[number] == 1e-6 for number in stopped) > len(stopped) / 2
    finish("--out", folder, "--resume")
    assert {path.parent.name for path in folder.glob("trials/*/result.json")} == set(results)


def test_a_run_on_a_machine_that_is_gone_goes_on_elsewhere_from_the_storage(tmp_path):
    finish("--out", tmp_path / "undisturbed" / "run", *GRID)
    storage = tmp_path / "storage"
    folder = tmp_path / "first" / "run"
    process = start("--out", folder, *GRID, "--storage", storage)
    wait_for(lambda: process.poll() is not None or any(storage.glob("run/trials/*/result.json")))
    process.kill()
    process.communicate()
    elsewhere = tmp_path / "second" / "run"
    finish("--out", elsewhere, "--resume", "--storage", storage)
    assert files(elsewhere) == files(tmp_path / "undisturbed" / "run")
    # The storage has it all, too, and another run of the name is refused.
    from nas.launch.run_storage import RunStorage

    RunStorage(str(storage), "run").download(tmp_path / "third")
    assert files(tmp_path / "third") == files(elsewhere)
    _, errors = finish("--out", tmp_path / "fourth" / "run", *GRID, "--storage", storage, status=2)
    assert "has a run already" in errors
