"""Runs units (a problem with a seed) in processes, the first seed of all problems first."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch
from evidence_problems import PROBLEMS
from evidence_unit import Unit

from nas.errors import in_one_line
from nas.files import make_folder

Run = Callable[[Unit], None]
"""Runs one unit; spawned processes import it by its name."""


def run_all(
    run: Run, names: Sequence[str], num_seeds: int | None, processes: int, out: Path, say: Callable[[str], None]
) -> bool:
    """Run all units, and return whether all succeeded. After a failure the other units still run.

    Args:
        num_seeds: as many of each problem's seeds; all if None.
    """
    most = max(len(PROBLEMS[name].seeds) for name in names)
    turns = [
        (name, PROBLEMS[name].seeds[i])
        for i in range(min(most, num_seeds or most))
        for name in names
        if i < len(PROBLEMS[name].seeds)
    ]
    # Forked workers would share the locks of torch's threads.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        units = {pool.submit(run_unit, run, name, seed, out): f"{name} seed {seed}" for name, seed in turns}
        for unit in as_completed(units):
            error = unit.exception()
            say(unit.result() if error is None else f"{units[unit]} failed: {in_one_line(error)}")
    return all(unit.exception() is None for unit in units)


def run_unit(run: Run, name: str, seed: int, out: Path) -> str:
    """Run one unit in this process, and return a line for the log."""
    unit = Unit(PROBLEMS[name], seed, out / name / str(seed))
    make_folder(unit.folder)
    torch.set_num_threads(1)
    started = time.perf_counter()
    run(unit)
    return f"{name} seed {seed}: {time.perf_counter() - started:.0f} s"
