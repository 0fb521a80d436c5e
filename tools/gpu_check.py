"""Tries on one GPU, within eight minutes, what the tests cannot try without one, and prints a table for the log.

    tools/gpu_check [--dry] [--only NAME ...] [--seconds 480] [--out FOLDER]
    python tools/gpu_check.py ...            on a machine whose torch is to be used, from the project's folder

Every row of the table is a command in a process of its own: whether it ended well, its seconds, and the last line that
says something. A row that does not end in the time that is left counts as failed; the logs of all rows are in FOLDER.
``--dry`` runs the same commands on the CPU, smaller and without those that need CUDA, to try the tool itself. The exit
status is 1 if a row failed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
GPU_TESTS = ("tests/tasks/test_metrics.py", "tests/engine/test_compute.py", "tests/engine/test_ranks.py")
DRY_PATIENCE = 5.0
"""How much longer the rows may take in a dry run."""

SMALL_SCENES = '{"train": 96, "architecture": 32, "validation": 32, "test": 32}'


@dataclass(frozen=True)
class Row:
    """One command.

    Args:
        words: the command after ``python``.
        seconds: it is stopped after so many.
        needs_cuda: left out of a dry run.
        refusal: words of its output with which failing is an answer, not a fault.
    """

    name: str
    words: tuple[str, ...]
    seconds: int
    needs_cuda: bool = False
    refusal: str | None = None


def nas(*words: str, **fields: str) -> tuple[str, ...]:
    """A command of nas with changed fields, whose dots are double underscores."""
    changes = (f"{name.replace('__', '.')}={value}" for name, value in fields.items())
    return ("-m", "nas", *words, *(part for change in changes for part in ("--set", change)))


def rows(folder: Path, *, dry: bool) -> Iterator[Row]:
    """All commands, in an order in which later ones use the runs of earlier ones."""
    device = "cpu" if dry else "cuda"
    found, digits = str(folder / "digits"), {"device": device, "retrain__epochs": "2" if dry else "10"}
    shorter = digits | {"data__num_train": "256", "strategy__epochs": "2"}
    yield Row("tests", ("-m", "pytest", "-q", *GPU_TESTS, "-k", "cuda or gpu or device"), 90)
    yield Row("search", nas("search", "runs/digits.py", "--out", found, **(shorter if dry else digits)), 120)
    yield Row("retrain", nas("retrain", found, "--tree", "shared"), 90)
    for form in ("bundle", "pt2", "onnx"):
        yield Row(f"export {form}", nas("export", found, "--tree", "shared", "--format", form), 60)
    gradient = ("search", "runs/digits.py", "--strategy", "gradient", "--out")
    one_path = shorter | {"strategy__routing": "one_path"}
    yield Row("one-path search", nas(*gradient, str(folder / "one-path"), **one_path), 60)
    for precision in ("bfloat16", "float16"):
        fields = shorter | {"strategy__compute__precision": precision}
        yield Row(precision, nas(*gradient, str(folder / precision), **fields), 60, needs_cuda=precision == "float16")
    compiled = shorter | {"strategy__compute__compile": "true"}
    yield Row("torch.compile", nas(*gradient, str(folder / "compile"), **compiled), 150, needs_cuda=True)
    scenes = {"device": device, "data__sizes": SMALL_SCENES, "strategy__epochs": "1", "data__cache": "null"}
    yield Row("scenes, full size", nas("check", "runs/scenes_full.py", **scenes), 90, needs_cuda=True)
    ranks = shorter | {"processes": "2", "trials__gpus": "0" if dry else "0.5"}
    yield Row(
        "two processes", nas(*gradient, str(folder / "ranks"), **ranks), 90, needs_cuda=True, refusal="Duplicate GPU"
    )
    bench = (
        "tools/bench_search.py",
        "--device",
        device,
        "--ways",
        "published",
        "one-path",
        "--rounds",
        "1",
        "--memory",
    )
    sizes = ("--space", "digits", "--tasks", "2") if dry else ("--space", "mobilenet", "--tasks", "5", "--image", "256")
    yield Row("steps", (*bench, *sizes, "--budget-s", "100", "--out", str(folder / "steps.json")), 110)


def run(row: Row, log: Path, seconds: float) -> tuple[str, float, str]:
    """(outcome, seconds, last line) of a command."""
    start = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(("tests", str(ROOT))), "COLUMNS": "160"}
    with log.open("w") as file:
        try:
            done = subprocess.run(
                [sys.executable, *row.words],
                cwd=ROOT,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=max(1.0, seconds),
                check=False,
            )
            outcome = "ok" if done.returncode == 0 else f"failed ({done.returncode})"
        except subprocess.TimeoutExpired:
            outcome = "out of time"
    text = log.read_text()
    if outcome != "ok" and row.refusal is not None and row.refusal in text:
        outcome = "refused"
    lines = [line.strip() for line in text.splitlines() if line.strip(" ─└┘│-")]
    return outcome, time.monotonic() - start, lines[-1][:90] if lines else ""


def describe_machine() -> str:
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{name}, {os.cpu_count()} cores, torch {torch.__version__}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dry", action="store_true", help="on the CPU, smaller, without what needs CUDA")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these rows of the table")
    parser.add_argument("--seconds", type=float, help="for all rows together; 480, in a dry run 2400")
    parser.add_argument("--out", type=Path, help="folder of logs and runs; a temporary one if left out")
    given = parser.parse_args()
    if not given.dry and not torch.cuda.is_available():
        sys.exit("torch finds no GPU; --dry tries the commands on the CPU")
    folder = given.out or Path(tempfile.mkdtemp(prefix="gpu-check-"))
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [row for row in rows(folder.resolve(), dry=given.dry) if not (given.dry and row.needs_cuda)]
    if given.only and (unknown := set(given.only) - {row.name for row in wanted}):
        sys.exit(f"there are no rows {sorted(unknown)}; known are {[row.name for row in wanted]}")
    patience = DRY_PATIENCE if given.dry else 1.0
    end, failed = time.monotonic() + (given.seconds or 480.0 * patience), False
    print(
        f"{describe_machine()}; logs in {folder}\n\n| what | outcome | seconds | last line |\n| --- | --- | --- | --- |"
    )
    for row in wanted:
        if given.only and row.name not in given.only:
            continue
        log = folder / f"{row.name.replace(' ', '-').replace(',', '')}.log"
        outcome, seconds, last = run(row, log, min(row.seconds * patience, end - time.monotonic()))
        failed |= outcome not in ("ok", "refused")
        print(f"| {row.name} | {outcome} | {seconds:.0f} | {last.replace('|', '/')} |", flush=True)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
