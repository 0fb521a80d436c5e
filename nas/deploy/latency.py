"""Measure the latencies of an experiment's parts and of its whole networks."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from nas.cost import LatencyTable, Timing, describe_device, measure_latency, time_calls
from nas.cost.resources import MACS, MS
from nas.deploy.runtimes import RUNTIMES, make_call
from nas.errors import InputError
from nas.recipe import Experiment
from nas.run import build_backbone, build_network, measure_parts
from nas.tree import BranchTree


def profile_latency(
    experiment: Experiment,
    tree: BranchTree | None,
    *,
    runtimes: Sequence[str],
    batch_size: int,
    rounds: int,
    device: torch.device,
) -> tuple[LatencyTable, dict[str, Any]]:
    """Measure every part alone, for a latency table, and whole networks to compare with the sums of their parts.

    The networks are those of single tasks, the shared tree, separate networks (one after the other) and ``tree``. They
    are timed in turns, so that their ratios are reliable on a busy machine, too.

    Returns:
        the table, and plain data: "device", "num_threads", "batch_size" and by network "macs_share" and "parts_share"
        (of separate networks' MACs, and of their parts' summed latencies), "parts_ms", and by runtime "median", "low",
        "high" in ms, "throughput" in samples per second and "share" of separate networks' measured latency.
    """
    if unknown := [name for name in runtimes if name not in RUNTIMES]:
        raise InputError(f"no runtimes {unknown}; choose among {', '.join(RUNTIMES)}")
    if batch_size < 1 or rounds < 2:
        raise InputError(
            "measuring latency needs `batch_size` of at least 1 and `rounds` of at least 2; "
            f"found {batch_size} and {rounds}"
        )
    parts = measure_latency(
        build_backbone(experiment),
        experiment.tasks,
        experiment.input_shape,
        device=device,
        batch_size=batch_size,
        rounds=rounds,
    )
    measured = measure_parts(experiment.model_copy(update={"latency": None}))
    table = replace(measured, latency=parts).table
    names, num_blocks = experiment.task_names, len(table.blocks)
    trees = {f"single {name}": BranchTree.shared([name], num_blocks) for name in names}
    trees["shared"] = BranchTree.shared(names, num_blocks)
    if tree is not None:
        trees["tree"] = tree
    timings = {
        runtime: _time(experiment, trees, runtime, batch_size=batch_size, rounds=rounds, device=device)
        for runtime in runtimes
    }
    separate = table.separate_cost()
    costs = {name: table.tree_cost(built) for name, built in trees.items()} | {"separate": separate}
    networks = {
        name: {
            "macs_share": cost[MACS.name] / separate[MACS.name],
            "parts_ms": cost[MS.name],
            "parts_share": cost[MS.name] / separate[MS.name],
            "runtimes": {
                runtime: {
                    **timed[name].to_dict(),
                    "throughput": 1e3 * batch_size / timed[name].median,
                    "share": timed[name].median / timed["separate"].median,
                }
                for runtime, timed in timings.items()
            },
        }
        for name, cost in costs.items()
    }
    return parts, {
        "device": describe_device(device),
        "num_threads": torch.get_num_threads(),
        "batch_size": batch_size,
        "networks": networks,
    }


def _time(
    experiment: Experiment,
    trees: dict[str, BranchTree],
    runtime: str,
    *,
    batch_size: int,
    rounds: int,
    device: torch.device,
) -> dict[str, Timing]:
    generator = torch.Generator().manual_seed(experiment.seed)
    inputs = torch.randn(batch_size, *experiment.input_shape, generator=generator).to(device)
    calls: dict[str, Callable[[], object]] = {
        name: make_call(build_network(experiment, tree, experiment.seed).to(device), inputs, runtime)
        for name, tree in trees.items()
    }
    singles = [call for name, call in calls.items() if name.startswith("single ")]
    return time_calls({**calls, "separate": lambda: [call() for call in singles]}, device=device, rounds=rounds)
