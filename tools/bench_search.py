"""Time and memory of a search's steps: the published way against ours, in one run, and how they grow with the tasks.

    .venv/bin/python tools/bench_search.py [--space mobilenet digits planted] [--tasks 2 4 5 8] [--device cpu]
        [--threads 2] [--ways published "same maths" one-path] [--rounds 3] [--memory] [--front runs/digits.py]
        [--budget-s 600] [--out FILE.json]

"published" is BMTAS's step (soft routing, a candidate after the other, an optimiser step per task). "same maths" gives
the same numbers as that, as the project computes them. "one-path" is other mathematics: the sampled trees run as one
network; it is timed at uniform routing, at trees of about half the separate cost, and along a schedule of temperature
and logits. A way may be followed by +channels-last, +bfloat16, +compile or +recomputed.

All ways of a cell (a space and a number of tasks) are timed in one process, in turn; memory has a process for each way.
Cells are worked through until the budget of seconds is spent, and what is left out is said.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_search_cells import WAYS, make_problem, peak_memory, schedule_seconds, time_costs, time_ways
from rich.console import Console
from rich.table import Table

SPACES = ("mobilenet", "digits", "planted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", nargs="*", choices=SPACES, default=list(SPACES))
    parser.add_argument("--tasks", type=int, nargs="*", default=[2, 4, 5, 8])
    parser.add_argument("--ways", nargs="*", default=list(WAYS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, help="samples; 4 for mobilenet, 64 for the others if left out")
    parser.add_argument("--image", type=int, help="pixels a side for mobilenet; 96 if left out")
    parser.add_argument("--memory", action="store_true", help="measure the peak of every way, too")
    parser.add_argument("--front", help="a recipe, whose search is timed with one budget and with five")
    parser.add_argument("--budget-s", type=float, default=600.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.cell:
        print(json.dumps(_measure(json.loads(given.cell))))
        return
    result = _work(given)
    _show(result, Console(width=120))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1))


def _measure(cell: dict[str, Any]) -> dict[str, Any]:
    """One process's share of the work."""
    problem = make_problem(cell["space"], cell["tasks"], cell["batch"], cell["image"])
    device = torch.device(cell["device"])
    if "memory" in cell:
        return peak_memory(problem, cell["memory"], device)
    times = time_ways(problem, cell["ways"], device, cell["rounds"], cell["seconds"])
    return times | {"costs": time_costs(problem)}


def _work(given: argparse.Namespace) -> dict[str, Any]:
    end = time.monotonic() + given.budget_s
    cells: list[dict[str, Any]] = []
    left_out: list[str] = []
    for space in given.space:
        for num_tasks in given.tasks:
            fixed = {"space": space, "tasks": num_tasks, "device": given.device}
            fixed |= {"batch": given.batch, "image": given.image}
            wanted = {"ways": given.ways, "rounds": given.rounds, "seconds": (end - time.monotonic()) / 2}
            found = _in_process(fixed | wanted, given.threads, end)
            if found is None:
                left_out.append(f"{space}, {num_tasks} tasks")
                continue
            cells.append(fixed | found | {"memory": {}})
            for way in given.ways if given.memory else []:
                memory = _in_process(fixed | {"memory": way}, given.threads, end)
                if memory is None:
                    left_out.append(f"{space}, {num_tasks} tasks, memory of {way}")
                else:
                    cells[-1]["memory"][way] = memory
    result = {"threads": given.threads, "torch": torch.__version__, "cells": cells, "left_out": left_out}
    if given.front:
        result["front"] = _front(given.front, end)
    return result


def _in_process(cell: dict[str, Any], threads: int, end: float) -> dict[str, Any] | None:
    """What a fresh process measures; None if it does not within the time that is left."""
    left = end - time.monotonic()
    if left <= 0:
        return None
    command = [sys.executable, __file__, "--threads", str(threads), "--cell", json.dumps(cell)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=left, check=True)
    except subprocess.TimeoutExpired:
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _front(recipe: str, end: float) -> dict[str, float] | None:
    """Seconds of a search with one budget, and with five."""
    seconds = {}
    budgets = ["0.5", "0.3,0.4,0.5,0.6,0.7"]
    for name, budget in zip(("one budget", "five budgets"), budgets, strict=True):
        with tempfile.TemporaryDirectory() as folder:
            command = [str(Path(sys.executable).parent / "nas"), "search", recipe, "--out", f"{folder}/run"]
            start = time.monotonic()
            try:
                subprocess.run(
                    [*command, "--set", f"goal.budgets=[{budget}]"],
                    stdout=subprocess.DEVNULL,
                    timeout=max(1.0, end - start),
                    check=True,
                )
            except subprocess.TimeoutExpired:
                return None
            seconds[name] = time.monotonic() - start
    return seconds


def _show(result: dict[str, Any], console: Console) -> None:
    for space in dict.fromkeys(cell["space"] for cell in result["cells"]):
        cells = [cell for cell in result["cells"] if cell["space"] == space]
        for cell in cells:
            _show_cell(cell, console)
        if len(cells) > 1:
            _show_growth(cells, console)
    if "front" in result and result["front"] is not None:
        one, five = result["front"].values()
        console.print(
            f"a front of five budgets costs {five / one:.2f} of a search with one ({five:.0f} s, {one:.0f} s)"
        )
    for what in result["left_out"]:
        console.print(f"left out, since the budget of seconds was spent: {what}")


def _show_cell(cell: dict[str, Any], console: Console) -> None:
    table = Table(title=f"{cell['space']}, {cell['tasks']} tasks, {cell['device']}: least of {cell['rounds']} rounds")
    table.add_column("way")
    for job in ("weight step, uniform", "weight step, half shared", "logits step, uniform", "schedule"):
        table.add_column(f"{job} \\[ms]", justify="right")
    table.add_column("peak \\[MB]", justify="right")
    base = _with_schedule(next(iter(cell["seconds"].values())))
    for way, times in cell["seconds"].items():
        row = [way]
        for job in ("weight step, uniform", "weight step, half shared", "logits step, uniform", "schedule"):
            seconds = _with_schedule(times).get(job)
            # A soft step costs the same whatever the tree, so it is what a half shared one is compared with.
            compared = base.get(job, base["weight step, uniform"])
            row.append("" if seconds is None else f"{1e3 * seconds:.1f} ({compared / seconds:.1f}x)")
        memory = cell["memory"].get(way)
        table.add_row(*row, "" if memory is None else f"{memory['bytes'] / 1e6:.0f}")
    console.print(table)
    expected, trees = 1e3 * cell["costs"]["expected cost"], cell["costs"]["discretise"]
    console.print(f"expected cost {expected:.1f} ms a step, all trees of a search {trees:.2f} s\n")


def _with_schedule(times: dict[str, float]) -> dict[str, float]:
    return times | {"schedule": schedule_seconds(times)}


def _show_growth(cells: list[dict[str, Any]], console: Console) -> None:
    """Exponents of T, fitted to logarithms, and the step of twice the tasks where both were timed."""
    by_tasks = {cell["tasks"]: cell["seconds"] for cell in cells}
    table = Table(title=f"{cells[0]['space']}: growth of steps, seconds ~ T^p")
    for column in ("way", "weight step, p", "logits step, p", "weight step at 8 tasks / at 4"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for way in cells[0]["seconds"]:
        exponents = []
        for job in ("weight step, uniform", "logits step, uniform"):
            points = [(tasks, seconds[way][job]) for tasks, seconds in by_tasks.items()]
            slope, _ = np.polyfit(*np.log(np.array(points)).T, 1)
            exponents.append(f"{slope:.2f}")
        doubled = ""
        if 4 in by_tasks and 8 in by_tasks:
            job = "weight step, uniform"
            doubled = f"{by_tasks[8][way][job] / by_tasks[4][way][job]:.2f}"
        table.add_row(way, *exponents, doubled)
    console.print(table)


if __name__ == "__main__":
    main()
