"""Searches and trainings on two processes that share every batch, through the commands and Ray Train."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_digits import RECIPE as DIGITS
from small_digits import changes, refused

import nas
from nas.datasets.digits import digit_tasks
from nas.errors import InputError
from nas.tree import BranchTree, write_tree

sys.path.append(str(Path(__file__).parent))

from test_faults import (
    LOOPBACK,
    RECIPE,
    TIMEOUT,
    children_of,
    files,
    finish,
    listeners,
    num_checkpoints,
    settings,
    start,
    wait_for,
    workers_of,
)

TWO = settings(processes=2)

SMOOTH = settings(strategy__logits='{"kind": "sgd", "lr": 5.0}')
"""At the last temperatures some logits have gradients that are nothing but rounding. Adam, which divides by their size,
would take a whole step there, in a direction of chance."""

TOLERANCE = 1e-3
"""Relative, after four epochs in single precision: sums in another order differ by 1e-7, and each of twelve steps takes
on the error of those before it; differences of nearly equal numbers, such as the logits' drift, magnify it."""


def test_what_cannot_be_shared_is_refused_at_once_and_leaves_nothing(capsys, tmp_path, monkeypatch):
    out = ("--out", str(tmp_path / "run"))
    cases = {
        "make it a multiple of 3": changes(processes=3),
        "this machine has room for 0": changes(processes=2, trials__cpus=1000),
        "share the batches of one trial": changes(processes=2, trials__seeds=2),
        "compiled parts cannot": changes(processes=2, strategy__compute__compile=True),
        "is one GPU": changes(processes=2, device="cuda:0"),
    }
    for words, wrong in cases.items():
        assert words in refused(capsys, "search", DIGITS, *out, *wrong)
    assert "nothing answers" in refused(
        capsys, "search", DIGITS, *out, *changes(processes=2), "--address", "127.0.0.1:1"
    )
    monkeypatch.setattr("nas.launch.processes.find_spec", lambda name: None)
    assert "needs Ray" in refused(capsys, "search", DIGITS, *out, *changes(processes=2))
    tree = BranchTree.shared([task.name for task in digit_tasks()], 6)
    write_tree(tree, tmp_path / "tree.json")
    training = ("retrain", DIGITS, "--tree", tmp_path / "tree.json", *out)
    assert "needs Ray" in refused(capsys, *training, *changes(processes=2))
    assert "--address is for several processes" in refused(capsys, *training, *changes(), "--address", "auto")
    assert not (tmp_path / "run").exists()


def test_an_experiment_without_a_file_cannot_be_shared(tmp_path):
    from nas.recipe import load_recipe

    experiment = load_recipe(RECIPE, {"processes": 2})
    with pytest.raises(InputError, match="put the Experiment into a recipe file"):
        nas.search(experiment, out=tmp_path / "run")


def test_a_run_whose_record_knows_no_processes_had_one(tmp_path):
    from nas.run.opened_run import begin_run, new_run, open_run

    path = tmp_path / "run"
    begin_run(new_run(RECIPE, path), RECIPE)
    record = json.loads((path / "experiment.json").read_text())
    assert record["experiment"].pop("processes") == 1
    (path / "experiment.json").write_text(json.dumps(record))
    assert open_run(path).experiment.processes == 1
    record["experiment"]["processes"] = 2
    (path / "experiment.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="fields processes differ"):
        open_run(path)


def history(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_close(a, b, where=""):
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_close(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_close(x, y, f"{where}[{i}]")
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=TOLERANCE), where
    else:
        assert a == b, where


def ranks_of(pid):
    """The processes of a driver's group."""
    return [child for child in workers_of(pid) if "RayTrainWorker" in Path(f"/proc/{child}/cmdline").read_text()]


@pytest.mark.slow
def test_a_search_on_two_processes_finds_what_one_does_though_it_is_killed(tmp_path):
    changes = [*settings(data__wait=0.3), *SMOOTH]
    finish("--out", tmp_path / "one", *changes)
    _, errors = finish("--out", tmp_path / "two", *changes, *TWO)
    # Told as of one process.
    assert "epoch 4/4" in errors
    trials = [tmp_path / name / "trials" / "0" for name in ("one", "two")]
    assert_close(*map(history, trials))
    assert {path.name for path in (trials[0] / "trees").iterdir()} == {p.name for p in (trials[1] / "trees").iterdir()}

    # A rank is lost: all start again, from the checkpoint.
    lost = tmp_path / "lost"
    process = start("--out", lost, *changes, *TWO)
    wait_for(lambda: process.poll() is not None or num_checkpoints(lost) >= 1)
    found = listeners(children_of(process.pid))
    os.kill(ranks_of(process.pid)[-1], signal.SIGKILL)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, errors
    assert "continuing from the last checkpoint" in errors
    assert files(lost) == files(tmp_path / "two")
    assert found, "Ray listens on something"
    assert set(found) <= LOOPBACK

    # A cluster stops the command: it ends in order, with all its processes.
    stopped = tmp_path / "stopped"
    process = start("--out", stopped, *changes, *TWO)
    wait_for(lambda: process.poll() is not None or num_checkpoints(stopped) >= 2)
    everybody = children_of(process.pid)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 143, errors
    assert errors.splitlines()[-1] == "stopped by SIGTERM; continue with --resume"
    assert "Traceback" not in errors
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in everybody))
    finish("--out", stopped, "--resume")
    assert files(stopped) == files(tmp_path / "two")

    # The command is killed: nobody writes on, and the next one goes on.
    killed = tmp_path / "killed"
    process = start("--out", killed, *changes, *TWO)
    wait_for(lambda: process.poll() is not None or num_checkpoints(killed) >= 2)
    workers = workers_of(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    finish("--out", killed, "--resume")
    assert files(killed) == files(tmp_path / "two")


TREE = BranchTree.from_choices(["t0", "t1", "t2"], [[0, 0, 0], [0, 0, 1], [0, 0, 1]])


def start_retraining(*arguments):
    command = [sys.executable, "-c", "from nas.cli import main; main()", "retrain", str(RECIPE), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def retrained(folder):
    (training,) = folder.glob(f"retrained/{TREE.id}/*")
    return training


@pytest.mark.slow
def test_a_retraining_on_two_processes_finds_what_one_does_though_it_is_interrupted(tmp_path):
    write_tree(TREE, tmp_path / "tree.json")
    changes = settings(retrain__epochs=4, retrain__batch_size=16, retrain__ema=0.9, data__wait=0.3)

    def finish_retraining(folder, *arguments):
        process = start_retraining("--tree", tmp_path / "tree.json", "--out", folder, *arguments)
        _, errors = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, errors

    one, two, stopped = (tmp_path / name for name in ("one", "two", "stopped"))
    finish_retraining(one, *changes)
    finish_retraining(two, *changes, *TWO)
    # How many processes share the batches is no part of what a training is.
    assert retrained(one).name == retrained(two).name
    assert_close(history(retrained(two)), history(retrained(one)))

    process = start_retraining("--tree", tmp_path / "tree.json", "--out", stopped, *changes, *TWO)
    wait_for(lambda: process.poll() is not None or any(stopped.glob("retrained/*/*/checkpoint/epoch-0002.pt")))
    everybody = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in everybody))
    finish_retraining(stopped, "--resume")
    for name in ("result.json", "metrics.jsonl"):
        assert (retrained(stopped) / name).read_bytes() == (retrained(two) / name).read_bytes()


@pytest.mark.slow
def test_what_a_search_measures_and_a_comparison_are_those_of_one_process(tmp_path):
    small = settings(
        strategy__epochs=2,
        goal__measure=1,
        retrain__epochs=2,
        retrain__batch_size=16,
        compare__seeds=[0],
        compare__random_trees=1,
    )
    for name, number in {"one": (), "two": TWO}.items():
        finish("--out", tmp_path / name, *small, *SMOOTH, *number)
        command = [sys.executable, "-c", "from nas.cli import main; main()", "compare", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        assert done.returncode == 0, done.stderr
    front = json.loads((tmp_path / "two" / "front.json").read_text())
    assert [point["quality"]["kind"] for point in front["points"]].count("measured") == 1
    for file in ("front.json", "compare/results.json"):
        one, two = (json.loads((tmp_path / name / file).read_text()) for name in ("one", "two"))
        assert_close(one, two)
    records = list((tmp_path / "two").glob("retrained/*/*/result.json"))
    # Three single tasks, the shared tree, one or two that were found and a random one beside each.
    assert len(records) >= 5
