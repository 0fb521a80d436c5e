"""Time and memory of the steps of a gradient search, as published and as computed here, for several numbers of tasks.

    .venv/bin/python tools/bench_search.py [--space mobilenet digits planted] [--tasks 2 4 5 8] [--device cpu]
        [--threads 2] [--ways published "same maths" one-path] [--rounds 3] [--memory] [--front runs/digits.py]
        [--budget-s 600] [--out FILE.json]

"published" is BMTAS's step: soft routing, one candidate after the other, one optimiser step per task. "same maths"
gives the same numbers, computed as this project does. "one-path" is another method: it runs only the sampled
candidates. It is timed with uniform routing, with trees of about half the separate cost, and along a schedule of
temperature and logits. The name of a way may end with +channels-last, +bfloat16, +compile or +recomputed.

A cell is a search space with a number of tasks. All ways of a cell are timed in one process, in turn. Memory is
measured in one process per way. When the given seconds are over, the remaining cells are listed as left out.
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
    """The measurements of one process."""
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
    """The result of a new process; None if it does not finish in the remaining time."""
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
        console.print(f"left out, since the given seconds were over: {what}")


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
            # The cost of a soft step does not depend on the tree, so half shared trees are compared with it.
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
    """Exponents p of time ~ T^p, fitted to logarithms, and the ratio of the times at 8 and 4 tasks if both exist."""
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
