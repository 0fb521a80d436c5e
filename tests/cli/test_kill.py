"""`kill -9` at random moments, Ctrl-C or SIGTERM, then `--resume`: the same logits, trees and metrics, bit for bit."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from separate_process import start_command
from small_digits import RECIPE, changes

from nas.cli.main import run
from nas.engine.checkpoint import load_tensors

LAST = 16
"""Epochs of a search: enough that it still runs when the signal arrives."""
CHANGES = changes(strategy__epochs=LAST, strategy__num_candidates=3, goal__budgets=[0.4, 0.9], retrain__epochs=5)
FILES = ("front.json", "trials/0/metrics.jsonl", "trials/0/curve.json", "trials/0/costs.json")


def finish(*arguments: str) -> None:
    """Run a command to its end in this process, which is another one than that which was killed."""
    assert run([*arguments]) == 0


def stop_after(
    epochs: int, checkpoint: Path, wait: float, *arguments: str, by: signal.Signals = signal.SIGKILL
) -> tuple[int, str]:
    """Send a command a signal a moment after it has finished so many epochs; its exit status and last words."""
    said = checkpoint.with_suffix(".stderr")
    process = start_command(*arguments, errors=said)
    while process.is_alive() and not any(int(path.stem[-4:]) >= epochs for path in checkpoint.glob("**/epoch-*.pt")):
        time.sleep(0.01)
    time.sleep(wait)
    os.kill(process.pid, by)
    process.join()
    return process.exitcode, said.read_text()


def last_epoch(folder: Path) -> int:
    return max((int(path.stem[-4:]) for path in folder.glob("**/epoch-*.pt")), default=0)


def same_tensors(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_tensors(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same_tensors(x, y) for x, y in zip(a, b, strict=True))
    return a == b


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    finish("search", RECIPE, "--out", str(folder), *CHANGES)
    return folder


def test_a_search_that_is_killed_interrupted_and_stopped_ends_the_same(undisturbed, tmp_path):
    rng = random.Random(0)
    folder = tmp_path / "run"
    stop_after(1, folder, rng.uniform(0, 0.2), "search", RECIPE, "--out", str(folder), *CHANGES)
    again = ("search", RECIPE, "--out", str(folder), "--resume")
    for by, expected, words in ((signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "stopped by SIGTERM")):
        # One more than there are, so that it is well past its imports.
        status, errors = stop_after(last_epoch(folder) + 1, folder, rng.uniform(0, 0.1), *again, by=by)
        assert status == expected
        assert errors.splitlines()[-1].startswith(words)
        assert "Traceback" not in errors
    finish("search", RECIPE, "--out", str(folder), "--resume")
    for name in FILES:
        assert (folder / name).read_bytes() == (undisturbed / name).read_bytes(), name
    trees = [
        {path.name: path.read_bytes() for path in (run / "trials/0/trees").iterdir()} for run in (folder, undisturbed)
    ]
    assert trees[0] == trees[1]
    last = [load_tensors(run / f"trials/0/checkpoint/epoch-{LAST:04d}.pt") for run in (folder, undisturbed)]
    assert same_tensors(last[0], last[1])


def test_a_retraining_that_is_killed_ends_the_same(undisturbed, tmp_path):
    tree = str(next((undisturbed / "trials/0/trees").iterdir()))
    results = []
    for name in ("whole", "killed"):
        folder = tmp_path / name
        command = ["retrain", RECIPE, "--tree", tree, "--out", str(folder)]
        if name == "killed":
            stop_after(2, folder, random.Random(1).uniform(0, 0.5), *command, *CHANGES)
            command.append("--resume")
        finish(*command, *([] if name == "killed" else CHANGES))
        (trained,) = folder.glob("retrained/*/*")
        results.append(trained)
    whole, killed = results
    for name in ("result.json", "metrics.jsonl", "tree.json"):
        assert (whole / name).read_bytes() == (killed / name).read_bytes(), name
    last = [load_tensors(run / "checkpoint/epoch-0005.pt") for run in results]
    assert same_tensors(last[0], last[1])


def test_a_truncated_checkpoint_is_named_and_the_one_before_is_used(undisturbed, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    (folder / "front.json").unlink()
    # A trial that has its result reads no checkpoint.
    (folder / "trials/0/result.json").unlink()
    latest = folder / f"trials/0/checkpoint/epoch-{LAST:04d}.pt"
    latest.write_bytes(latest.read_bytes()[:-1000])
    finish("search", RECIPE, "--out", str(folder), "--resume")
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert latest.name in warning
    assert (folder / "front.json").read_bytes() == (undisturbed / "front.json").read_bytes()
