"""Compares the latency that a table of parts predicts for random trees with the latency of their whole networks.

    .venv/bin/python tools/bench_latency.py [--runtimes eager onnxruntime] [--trees 10] [--seed 0] [--size 128]

The trees are over five dense tasks on MobileNetV2, with the seeds ``seed`` to ``seed + trees - 1``. Parts and networks
are timed in turns, one sample a call. To export ten networks for onnxruntime takes about five minutes.
"""

import argparse
import statistics
from dataclasses import replace

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import nas
from nas.cost.resources import MS
from nas.datasets.dense_tasks import pascal_context_tasks
from nas.datasets.scenes import Scenes
from nas.deploy.latency import network_calls, part_prefixes, time_in_turns
from nas.deploy.runtimes import find_runtimes
from nas.run import measure_parts
from nas.tree import random_tree_shape
from search_spaces import MobileNetV2

_CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtimes", nargs="+", default=["eager", "onnxruntime"])
    parser.add_argument("--trees", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    experiment = nas.Experiment(
        tasks=pascal_context_tasks(),
        backbone=nas.lazy(MobileNetV2),
        # Latencies need no samples, so the source is never made.
        data=nas.lazy(Scenes),
        input_shape=(3, given.size, given.size),
    )
    num_blocks = MobileNetV2().num_blocks
    trees = {
        f"seed {seed}": random_tree_shape(experiment.task_names, num_blocks, np.random.default_rng(seed))
        for seed in range(given.seed, given.seed + given.trees)
    }
    counted = measure_parts(experiment)
    for runtime in find_runtimes(given.runtimes):
        prefixes = part_prefixes(experiment, runtime, batch_size=1, device=_CPU)
        networks = network_calls(experiment, trees, runtime, batch_size=1, device=_CPU)
        latencies, timed = time_in_turns(prefixes, networks, rounds=given.rounds, device=_CPU)
        costs = replace(counted, latency=latencies).table
        table = Table("tree", "groups, summed over blocks", "predicted, ms", "measured, ms", "error, %")
        table.title = f"{latencies.description}, {given.size} x {given.size}"
        errors = []
        for name, tree in trees.items():
            predicted = costs.tree_cost(tree)[MS.name]
            measured = timed[name]
            errors.append(100 * (predicted / measured.median - 1))
            spread = f"{measured.median:.2f} ({measured.low:.2f} to {measured.high:.2f})"
            table.add_row(name, f"{sum(tree.num_groups)}", f"{predicted:.2f}", spread, f"{errors[-1]:+.1f}")
        console = Console(width=130)
        console.print(table)
        console.print(f"mean error {statistics.fmean(map(abs, errors)):.1f} %, largest {max(map(abs, errors)):.1f} %")


if __name__ == "__main__":
    main()
