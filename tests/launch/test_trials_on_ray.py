"""Several trials through Tune, on a Ray of this machine."""

import os
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("ray")

from small_digits import refused

from nas import search
from nas.errors import InputError
from nas.recipe import load_recipe

RECIPE = Path(__file__).with_name("toy_trials.py")


def settings(**fields):
    """``--set`` arguments; "__" stands for a dot."""
    return [part for name, value in fields.items() for part in ("--set", f"{name.replace('__', '.')}={value}")]


def files(folder):
    """What a trial found, and how."""
    names = ["metrics.jsonl", "costs.json", "curve.json"]
    trees = {path.name: path.read_bytes() for path in (folder / "trees").iterdir()}
    return {name: (folder / name).read_bytes() for name in names}, trees


@pytest.mark.usefixtures("local_ray")
def test_trials_end_in_one_front_though_a_worker_is_lost_and_equal_a_search_in_this_process(tmp_path):
    processes = tmp_path / "processes"
    processes.mkdir()
    events, killed = [], []

    def kill_one(event):
        events.append(event)
        others = [int(path.name) for path in processes.iterdir() if int(path.name) != os.getpid()]
        if event.kind == "epoch" and event.record["epoch"] == 1 and not killed:
            killed.append(others[0])
            os.kill(others[0], signal.SIGKILL)

    changes = {
        "data.processes": str(processes),
        # Long enough that there is somebody to kill, at 5 readings an epoch.
        "data.wait": 0.05,
        "trials.budgets": [0.6, 0.9],
        "trials.seeds": [4],
    }
    found = search(RECIPE, out=tmp_path / "run", changes=changes, on_event=kill_one)
    assert killed
    kinds = [event.kind for event in events]
    assert kinds.count("retried") >= 1
    assert kinds.count("done") == 2
    assert "lost" in next(event.reason for event in events if event.kind == "retried")
    points = sorted(found.front.points, key=lambda point: point.trial)
    assert [(point.budget, point.seed) for point in points] == [(0.6, 4), (0.9, 4)]
    assert not all(point.dominated for point in points)
    one = {**changes, "trials.budgets": [0.9], "data.wait": 0.0}
    alone = search(RECIPE, out=tmp_path / "alone", changes=one)
    assert files(found.trial(1).path) == files(alone.trial(0).path)


@pytest.mark.parametrize(("field", "words"), [("cpus", "999 CPUs"), ("gpus", "999 GPUs")])
def test_what_this_machine_does_not_have_is_refused_at_once(tmp_path, capsys, field, words):
    changes = settings(**{"trials__seeds": 2, "device": "auto", f"trials__{field}": 999})
    assert words in refused(capsys, "search", RECIPE, "--out", tmp_path / "run", *changes)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("local_ray")
def test_what_no_machine_of_a_cluster_has_is_refused(tmp_path):
    from nas.launch.session import Resources, check_resources, machines_of_cluster

    machines = machines_of_cluster()
    check_resources(Resources(1, 0), machines)
    with pytest.raises(InputError, match=r"999 CPUs and 0\.5 GPUs, but the largest machine has"):
        check_resources(Resources(999, 0.5), machines)


def test_two_machines_with_half_of_it_each_are_not_enough():
    from nas.launch.session import Resources, check_resources

    with pytest.raises(InputError, match="largest"):
        check_resources(Resources(4, 1), [{"CPU": 2, "GPU": 1}, {"CPU": 8}])
    check_resources(Resources(4, 1), [{"CPU": 2, "GPU": 1}, {"CPU": 8}, {"CPU": 4, "GPU": 1}])


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ray://127.0.0.1:10001", "nas submit"),
        ("http://127.0.0.1:8265", "nas submit"),
        ("localhost", "HOST:PORT"),
        # Nothing listens on the discard port.
        ("127.0.0.1:9", "nothing answers"),
        ("127.0.0.1:99999", "nothing answers"),
    ],
)
def test_an_address_that_is_none_or_that_nobody_listens_on_is_refused_at_once(tmp_path, capsys, address, words):
    start = time.monotonic()
    assert words in refused(capsys, "search", RECIPE, "--out", tmp_path / "run", "--address", address)
    assert time.monotonic() - start < 15
    assert not (tmp_path / "run").exists()


def test_several_trials_of_an_experiment_without_a_recipe_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="recipe file"):
        search(load_recipe(RECIPE, {"trials.seeds": 2}), out=tmp_path / "run")
