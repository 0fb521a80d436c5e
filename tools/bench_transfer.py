"""Times the transfer model's fit and one choice of trees by Thompson sampling, and shows how the times grow.

    .venv/bin/python tools/bench_transfer.py [--threads 1] [--runs 3] [--draw-tasks 4 5 6 7 8]

A draw takes effects from the posterior and finds the exact curve of trees for them. Results are those of planted
effects with noise, costs are the MACs of MobileNetV2's 18 blocks. Times are processor seconds, the shortest of some
runs.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from nas.discretize import discretize
from nas.strategies.transfer import TransferModel
from nas.strategies.transfer.choice import dissimilarity_of
from nas.strategies.transfer.sharing import sharing_of
from nas.tree import BranchTree, CostTable
from tools.bench_discretize import costs

SIZES = {
    "trees": [(n, 12, 18) for n in (25, 50, 100, 200)],
    "tasks": [(100, t, 18) for t in (3, 6, 12, 24)],
    "blocks": [(100, 12, l) for l in (4, 9, 18, 36)],
}
"""What grows, and (trees, tasks, blocks)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3, help="for each time, which is the shortest")
    parser.add_argument("--draw-tasks", type=int, nargs="*", default=[4, 5, 6, 7, 8])
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    console = Console(width=120)
    for name, sizes in SIZES.items():
        table = Table("trees", "tasks", "blocks", "fit, s", "growth")
        table.title = f"TransferModel.fit against {name}, {given.threads} threads"
        before = None
        for size in sizes:
            problem = planted(*size)
            spent = shortest(lambda problem=problem: TransferModel.fit(*problem), given.runs)
            table.add_row(*map(str, size), f"{spent:.3f}", growth(spent, before))
            before = spent
        console.print(table)
    console.print(draw_table(given.draw_tasks, given.runs))


def draw_table(tasks: list[int], runs: int) -> Table:
    """Time of one draw and its curve."""
    table = Table("tasks", "blocks", "sample, s", "curve, s", "growth", "points")
    table.title = "One Thompson draw and its exact curve, after 30 trainings"
    before = None
    for num_tasks in tasks:
        trees, results_NT = planted(30, num_tasks, 18)
        model, generator = TransferModel.fit(trees, results_NT), torch.Generator().manual_seed(0)
        model.sample(generator)
        sampled = shortest(lambda model=model, generator=generator: model.sample(generator), runs)
        d_LTT, names = dissimilarity_of(model.sample(generator)), list(trees[0].tasks)
        parts = CostTable(
            {"macs": 0},
            tuple({"macs": macs} for macs in costs(18).tolist()),
            {name: {"macs": 0} for name in names},
            tuple(f"b{l}" for l in range(18)),
        )
        curve = discretize(names, d_LTT, parts, "macs")
        spent = shortest(
            lambda names=names, d_LTT=d_LTT, parts=parts: discretize(names, d_LTT, parts, "macs"), min(runs, 2)
        )
        table.add_row(str(num_tasks), "18", f"{sampled:.4f}", f"{spent:.3f}", growth(spent, before), str(len(curve)))
        before = spent
    return table


def planted(num_trees: int, num_tasks: int, num_blocks: int) -> tuple[list[BranchTree], np.ndarray]:
    """Random trees and their results: effects that change slowly from block to block, of size 1, and noise of 1."""
    rng = np.random.default_rng(0)
    names = [f"t{t}" for t in range(num_tasks)]
    trees = []
    for _ in range(num_trees):
        ways_LT = rng.integers(0, 2, (num_blocks, num_tasks)) * (rng.random((num_blocks, 1)) < 4.0 / num_blocks)
        trees.append(BranchTree.from_choices(names, ways_LT.tolist()))
    steps_LTT = rng.normal(size=(num_blocks, num_tasks, num_tasks))
    effects_LTT = steps_LTT.cumsum(0) / np.sqrt(np.arange(1, num_blocks + 1))[:, None, None]
    gains_NT = np.einsum("ntls,lts->nt", sharing_of(trees, names).numpy(), effects_LTT)
    return trees, gains_NT + rng.normal(size=gains_NT.shape)


def growth(spent: float, before: float | None) -> str:
    return "" if before is None else f"x {spent / before:.1f}"


def shortest(function: Callable[[], object], runs: int) -> float:
    """The shortest processor time of some runs."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
