"""`kill -9` in a retraining with everything on, also among its teachers: the same result, logs without doubles."""

import random
import time

import pytest
import torch
from separate_process import start_command
from small_digits import RECIPE, changes

from nas.cli.main import run
from nas.datasets.digits import digit_tasks
from nas.engine.checkpoint import load_tensors
from nas.tree import BranchTree, write_tree

TASKS = [task.name for task in digit_tasks()]
TREE = BranchTree.from_choices(TASKS, [[0] * 6, [0] * 6, *[[0, 0, 0, 0, 1, 1]] * 4])
EPOCHS = 6
CHANGES = changes(
    retrain__epochs=EPOCHS,
    retrain__batch_size=16,
    retrain__ema=0.9,
    retrain__accumulate=2,
    retrain__clip_norm=1.0,
    retrain__balance="uncertainty",
    retrain__aggregate="gradvac",
    retrain__stop_on='{"left.accuracy": 1, "ink": 2}',
)
TAUGHT = ("--set", 'retrain.distill={"weight": 0.5}')
LOGS = ("--log", "csv", "--log", "tensorboard")


def finish(*arguments):
    assert run(["retrain", RECIPE, *arguments]) == 0


def kill_when(reached, wait, *arguments):
    """End a command at once, a moment after a condition holds."""
    process = start_command("retrain", RECIPE, *arguments)
    while process.is_alive() and not reached():
        time.sleep(0.01)
    time.sleep(wait)
    process.kill()
    process.join()


def trained(folder):
    """The folder of the tree's own training, not of its teachers'."""
    (own,) = (folder / "retrained" / TREE.id).iterdir()
    return own


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def assert_same_training(one, other):
    assert one.name == other.name
    for name in ("result.json", "metrics.jsonl", "metrics.csv", "tree.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    last = [load_tensors(folder / f"checkpoint/epoch-{EPOCHS:04d}.pt") for folder in (one, other)]
    assert {"balance", "aggregation", "trained_network"} <= last[0].keys()
    assert last[0]["aggregation"]
    assert same(last[0], last[1])
    events = scalars(one / "tensorboard")
    assert events == scalars(other / "tensorboard")
    assert {tuple(step for step, _ in found) for found in events.values()} == {tuple(range(1, EPOCHS + 1))}


def in_the_middle(folder):
    return any(folder.glob(f"retrained/{TREE.id}/*/checkpoint/epoch-0002.pt"))


@pytest.fixture
def tree_file(tmp_path):
    write_tree(TREE, tmp_path / "tree.json")
    return str(tmp_path / "tree.json")


def test_a_retraining_that_is_killed_ends_the_same(tree_file, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish("--tree", tree_file, "--out", str(whole), *CHANGES, *LOGS)
    command = ["--tree", tree_file, "--out", str(killed)]
    kill_when(lambda: in_the_middle(killed), random.Random(2).uniform(0, 0.1), *command, *CHANGES, *LOGS)
    assert not (trained(killed) / "result.json").exists()
    finish(*command, "--resume")
    assert_same_training(trained(killed), trained(whole))


@pytest.mark.slow
def test_a_retraining_that_is_killed_among_its_teachers_and_again_ends_the_same(tree_file, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish("--tree", tree_file, "--out", str(whole), *CHANGES, *LOGS, *TAUGHT)
    rng, command = random.Random(2), ["--tree", tree_file, "--out", str(killed)]
    among_teachers = lambda: any(killed.glob("retrained/*/*/result.json"))  # noqa: E731
    kill_when(among_teachers, rng.uniform(0, 0.1), *command, *CHANGES, *LOGS, *TAUGHT)
    assert not (killed / "retrained" / TREE.id).exists()
    kill_when(lambda: in_the_middle(killed), rng.uniform(0, 0.1), *command, "--resume")
    assert not (trained(killed) / "result.json").exists()
    finish(*command, "--resume")
    assert_same_training(trained(killed), trained(whole))
    # Each teacher was trained once, whoever was killed.
    assert len(list(killed.glob("retrained/*/*/result.json"))) == len(TASKS) + 1
