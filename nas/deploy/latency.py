"""Measure the latencies of an experiment's parts and of its whole networks."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from nas.cost import LatencyTable, Prefixes, Runtime, Timing, time_calls, time_rounds, torch_prefixes
from nas.cost.resources import MACS, MS
from nas.cost.timing import Call
from nas.deploy.onnx_latency import onnxruntime_prefixes
from nas.deploy.runtimes import make_call
from nas.display import Displayed
from nas.errors import InputError
from nas.recipe import Experiment
from nas.run import build_backbone, build_network, measure_parts
from nas.tree import BranchTree

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class RuntimeLatency:
    """What a runtime takes for a network: milliseconds of a batch (median, tenth and ninetieth percentile), samples in
    a second, and the share of separate networks' measured latency."""

    median: float
    low: float
    high: float
    throughput: float
    share: float


@dataclass(frozen=True)
class NetworkLatency:
    """A network's latency, and what its costs predict.

    Args:
        macs_share, parts_share: shares of separate networks' MACs, and of their parts' summed latencies.
        parts_ms: the sum of its parts' latencies.
        parts_error: how many percent the sum is above the latency that was measured in the table's runtime.
        runtimes: by name.
    """

    macs_share: float
    parts_ms: float
    parts_share: float
    parts_error: float
    runtimes: Mapping[str, RuntimeLatency]


@dataclass(frozen=True, repr=False)
class LatencyReport(Displayed):
    """The latencies of whole networks, compared with those of their parts.

    Args:
        table: what the table of the parts' latencies has measured.
        parts_error: the mean of the networks' errors without their signs.
        device: the table's.
        networks: by name.
    """

    table: str
    parts_error: float
    device: str
    num_threads: int
    batch_size: int
    networks: Mapping[str, NetworkLatency]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def summary(self) -> str:
        return f"{len(self.networks)} networks, {self.table}"

    def records(self) -> list[dict[str, Any]]:
        """A line for each network and runtime."""
        return [
            {"network": name, "runtime": runtime, **asdict(timed), "parts_ms": network.parts_ms}
            for name, network in self.networks.items()
            for runtime, timed in network.runtimes.items()
        ]


def profile_latency(
    experiment: Experiment,
    tree: BranchTree | None,
    *,
    runtimes: Sequence[Runtime],
    batch_size: int,
    rounds: int,
    device: torch.device,
) -> tuple[LatencyTable, LatencyReport]:
    """Measure every part, for a latency table, and whole networks to compare with the sums of their parts.

    The networks are those of single tasks, the shared tree, separate networks (one after the other) and ``tree``. They
    are timed in turns with the parts, so that ratios and errors are reliable on a busy machine, too.

    Args:
        runtimes: of the whole networks; the first one is also that of the table.
        device: of PyTorch; onnxruntime runs on the CPU.

    """
    if batch_size < 1 or rounds < 2:
        raise InputError(
            "measuring latency needs `batch_size` of at least 1 and `rounds` of at least 2; "
            f"found {batch_size} and {rounds}"
        )
    measured = measure_parts(experiment.model_copy(update={"latency": None}))
    names, num_blocks = experiment.task_names, len(measured.blocks)
    trees = {f"single {name}": BranchTree.shared([name], num_blocks) for name in names}
    trees["shared"] = BranchTree.shared(names, num_blocks)
    if tree is not None:
        trees["tree"] = tree
    parts: LatencyTable | None = None
    timings: dict[str, dict[str, Timing]] = {}
    for runtime in runtimes:
        on = _CPU if runtime == "onnxruntime" else device
        calls = network_calls(experiment, trees, runtime, batch_size=batch_size, device=on)
        singles = [call for name, call in calls.items() if name.startswith("single ")]
        calls["separate"] = _one_after_the_other(singles)
        if parts is None:
            prefixes = part_prefixes(experiment, runtime, batch_size=batch_size, device=on)
            parts, timings[runtime] = time_in_turns(prefixes, calls, rounds=rounds, device=on)
        else:
            timings[runtime] = time_calls(calls, rounds=rounds, device=on)
    assert parts is not None, "find_runtimes gives at least one"
    table = replace(measured, latency=parts).table
    separate = table.separate_cost()
    costs = {name: table.tree_cost(built) for name, built in trees.items()} | {"separate": separate}
    networks = {
        name: NetworkLatency(
            macs_share=cost[MACS.name] / separate[MACS.name],
            parts_ms=cost[MS.name],
            parts_share=cost[MS.name] / separate[MS.name],
            parts_error=100 * (cost[MS.name] / timings[parts.runtime][name].median - 1),
            runtimes={
                runtime: RuntimeLatency(
                    **timed[name].to_dict(),
                    throughput=1e3 * batch_size / timed[name].median,
                    share=timed[name].median / timed["separate"].median,
                )
                for runtime, timed in timings.items()
            },
        )
        for name, cost in costs.items()
    }
    return parts, LatencyReport(
        table=parts.description,
        parts_error=statistics.fmean(abs(network.parts_error) for network in networks.values()),
        device=parts.device,
        num_threads=torch.get_num_threads(),
        batch_size=batch_size,
        networks=networks,
    )


def part_prefixes(experiment: Experiment, runtime: Runtime, *, batch_size: int, device: torch.device) -> Prefixes:
    """What has to be timed for the latency table of an experiment's parts in a runtime.

    Args:
        device: of PyTorch; onnxruntime runs on the CPU.
    """
    backbone, tasks, shape = build_backbone(experiment), experiment.tasks, experiment.input_shape
    if runtime == "onnxruntime":
        return onnxruntime_prefixes(backbone, tasks, shape, batch_size=batch_size)
    return torch_prefixes(backbone, tasks, shape, device=device, runtime=runtime, batch_size=batch_size)


def network_calls(
    experiment: Experiment, trees: Mapping[str, BranchTree], runtime: Runtime, *, batch_size: int, device: torch.device
) -> dict[str, Call]:
    """A call of each tree's whole network in a runtime, on the same random inputs."""
    generator = torch.Generator().manual_seed(experiment.seed)
    inputs = torch.randn(batch_size, *experiment.input_shape, generator=generator).to(device)
    return {
        name: make_call(build_network(experiment, tree, experiment.seed).to(device), inputs, runtime)
        for name, tree in trees.items()
    }


def time_in_turns(
    prefixes: Prefixes, networks: Mapping[str, Call], *, rounds: int, device: torch.device
) -> tuple[LatencyTable, dict[str, Timing]]:
    """The latency table of the parts, and the latencies of networks that are timed in the same rounds."""
    named = {f"prefix {i}": call for i, call in enumerate(prefixes.calls)}
    timed = time_rounds({**named, **networks}, device=device, rounds=rounds)
    return prefixes.table([timed[name] for name in named]), {name: Timing.of(timed[name]) for name in networks}


def _one_after_the_other(calls: Sequence[Call]) -> Call:
    return lambda: [call() for call in calls]
