"""What `bench_search.py` measures: problems of any number of tasks, ways to compute a step, and their times."""

import itertools
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.cost import expected_cost, measure_costs
from nas.data import Batch, MaskedTensors
from nas.discretize import discretize, dissimilarity_from_logits
from nas.engine.compute import ComputeSettings
from nas.networks.supernet import Supernet, one_hot_routing, own_copy_routing, sample_routing
from nas.strategies import bmtas
from nas.strategies.gradient import GradientSettings, SearchState, logits_step, weight_step
from nas.tasks import Task
from nas.tree import BranchTree, CostTable, random_tree
from search_spaces import DigitsBackbone, MobileNetV2, PlantedBackbone

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "published": ("soft, a candidate after the other, a step per task", {"candidates": "plain"}),
    "same maths": ("the same numbers, as the project computes them", {"candidates": "auto"}),
    "batched": ("the same numbers, candidates always batched", {"candidates": "batched"}),
    "joint": ("soft, one step on the sum of the losses", {"weight_step": "joint"}),
    "one-path": ("one candidate a task and block, one step", {"routing": "one_path", "weight_step": "joint"}),
}
"""By name, a description, and the settings that differ from the published ones."""

COMPUTE: dict[str, dict[str, Any]] = {
    "": {},
    "channels-last": {"compute": ComputeSettings(channels_last=True)},
    "bfloat16": {"compute": ComputeSettings(precision="bfloat16")},
    "compile": {"compute": ComputeSettings(compile=True)},
    "recomputed": {"checkpoint_activations": True},
}
"""Settings that a suffix adds to a way: ``one-path+bfloat16``."""

NUM_PHASES = 6
"""Number of points of a search at which a step is timed."""

SHORT = 10.0
"""Least seconds for which rounds are repeated."""

NUM_SAMPLES = 3
"""Number of routings or trees over which a time is averaged."""


@dataclass(frozen=True)
class Problem:
    """A backbone, T tasks, one batch, and the cost table."""

    backbone: Any
    tasks: tuple[Task, ...]
    batch: Batch
    table: CostTable

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(task.name for task in self.tasks)


def make_problem(space: str, num_tasks: int, batch_size: int | None, image: int | None) -> Problem:
    """The problem of a space: "mobilenet" repeats the five tasks of PASCAL-Context, others have one kind of task."""
    generator = torch.Generator().manual_seed(0)
    if space == "mobilenet":
        side, size = image or 96, batch_size or 4
        shape, backbone, outputs = (3, side, side), MobileNetV2(), (21, 7, 1, 3, 1)
        label_shape: tuple[int, ...] = (side, side)
    elif space == "digits":
        shape, size, backbone, outputs, label_shape = (1, 12, 20), batch_size or 64, DigitsBackbone(), (4,), ()
    else:
        shape, size, backbone, outputs, label_shape = (8,), batch_size or 64, PlantedBackbone(), (4,), ()
    tasks, labels = [], {}
    for t in range(num_tasks):
        num = outputs[t % len(outputs)]
        loss, metric = ("cross_entropy", "accuracy") if num > 3 and label_shape else ("mse", "rmse")
        tasks.append(Task(name=f"t{t}", num_outputs=num, loss=loss, metrics=(metric,)))
        labels[f"t{t}"] = (
            torch.randint(num, (size, *label_shape), generator=generator)
            if loss == "cross_entropy"
            else torch.randn(size, num, *label_shape, generator=generator)
        )
    data = MaskedTensors(torch.randn(size, *shape, generator=generator), labels)
    table = measure_costs(backbone, tasks, shape).table
    return Problem(backbone, tuple(tasks), data.__getitems__(range(size)), table)


class Way:
    """One way of computing the steps of a problem's search."""

    def __init__(self, problem: Problem, name: str, device: torch.device) -> None:
        way, _, compute = name.partition("+")
        self.problem, self.device = problem, device
        self.settings: GradientSettings = bmtas(**{**WAYS[way][1], **COMPUTE[compute]}, discretize="exact")
        torch.manual_seed(0)
        supernet = Supernet(problem.backbone, problem.tasks, affine_last_norm=False)
        self.state = SearchState.start(supernet, self.settings, device)
        supernet.train()
        if way == "published":
            # torch's default, which the published code uses.
            self.state.weight_optimizer = torch.optim.Adam(supernet.parameters(), lr=1e-3, weight_decay=1e-4)
            self.state.logits_optimizer = torch.optim.Adam([self.state.logits_LTP], lr=1e-2, weight_decay=5e-5)
        self.batch = problem.batch.to(device)
        self.hard = self.settings.routing != "soft"

    def sample(self, logits_LTC: Tensor, temperature: float, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return sample_routing(logits_LTC, temperature, hard=self.hard, generator=generator)

    def weight_step(self, routing_LTC: Tensor) -> None:
        weight_step(self.state, self.batch, routing_LTC.to(self.device), self.problem.tasks, self.settings)

    def logits_step(self, temperature: float, seed: int) -> None:
        routing_LTC = self.sample(self.state.logits_LTP, temperature, seed)
        arguments = (self.problem.tasks, self.settings, self.problem.table, None, 0.5)
        logits_step(self.state, self.batch, routing_LTC, *arguments)
        with torch.no_grad():
            # All steps are timed with the same logits.
            self.state.logits_LTP.zero_()

    def jobs(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """The functions that are timed, by name; the times of functions with the same name are averaged."""
        zeros_LTC = torch.zeros(self.state.logits_LTP.shape)
        for seed in range(NUM_SAMPLES if self.hard else 1):
            routing_LTC = self.sample(zeros_LTC, 5.0, seed)
            yield "weight step, uniform", lambda routing_LTC=routing_LTC: self.weight_step(routing_LTC)
            yield "logits step, uniform", lambda seed=seed: self.logits_step(5.0, seed)
        if self.hard:
            for seed in range(NUM_SAMPLES):
                tree = half_shared_tree(self.problem, seed)
                routing_LTC = one_hot_routing(tree.choices_LT, len(self.problem.tasks))
                yield "weight step, half shared", lambda routing_LTC=routing_LTC: self.weight_step(routing_LTC)

    def phases(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Weight steps along a schedule: own copies for a twentieth, then temperature 5 to 0.1, while the logits go
        from zero to those of a tree of half the separate cost, whose choices end up at a probability above .9."""
        num_blocks, num_tasks, num_candidates = self.state.logits_LTP.shape
        own_LTC = own_copy_routing(num_blocks, num_tasks, num_candidates)
        yield "weight step, warm-up", lambda: self.weight_step(own_LTC)
        tree = half_shared_tree(self.problem, 0)
        end_LTC = 5.0 * one_hot_routing(tree.choices_LT, num_candidates)
        for phase in range(NUM_PHASES):
            progress = (phase + 0.5) / NUM_PHASES
            routing_LTC = self.sample(progress * end_LTC, 5.0 - 4.9 * progress, phase)
            yield "weight step, schedule", lambda routing_LTC=routing_LTC: self.weight_step(routing_LTC)


def half_shared_tree(problem: Problem, seed: int) -> BranchTree:
    """A random tree of about half of what separate networks cost, or the shared tree if that costs more."""
    shared = BranchTree.shared(problem.names, len(problem.table.blocks)).with_cost(problem.table)
    assert shared.cost is not None
    target = max(0.5 * problem.table.separate_cost()["macs"], shared.cost["macs"])
    return random_tree(problem.names, problem.table, target, rng=np.random.default_rng(seed))


def time_ways(problem: Problem, names: list[str], device: torch.device, rounds: int, seconds: float) -> dict[str, Any]:
    """Seconds of each job of each way: the minimum over several rounds.

    In each round all ways take turns, so that other load on the machine affects all of them. The minimum is closest to
    the time without other load. Short rounds are repeated for `SHORT` seconds. A round that would exceed ``seconds`` is
    left out, except the first.
    """
    start, best = time.perf_counter(), dict[int, float]()
    ways = {name: Way(problem, name, device) for name in names}
    jobs = [(name, job, run) for name, way in ways.items() for job, run in [*way.jobs(), *way.phases()]]
    for done in itertools.count():
        begun = time.perf_counter()
        for i, (_, _, run) in enumerate(jobs):
            took = _seconds(run, device)
            # Not counted: this call includes allocations, traces and the choice of algorithms.
            if done:
                best[i] = min(best.get(i, took), took)
        now = time.perf_counter()
        if done and ((done >= rounds and now - start > SHORT) or 2 * now - start - begun > seconds):
            return {"rounds": done, "seconds": _means(jobs, best)}
    raise AssertionError


def _means(jobs: list[tuple[str, str, Any]], best: dict[int, float]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, list[float]]] = {}
    for i, (name, job, _) in enumerate(jobs):
        found.setdefault(name, {}).setdefault(job, []).append(best[i])
    return {name: {job: sum(times) / len(times) for job, times in jobs.items()} for name, jobs in found.items()}


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def peak_memory(problem: Problem, name: str, device: torch.device) -> dict[str, float]:
    """Peak bytes of one weight step and one logits step (of the GPU, or of this process on the CPU), and the bytes
    before. The peak of a process never falls, so each measurement needs a new process."""
    way = Way(problem, name, device)
    before = _peak(device)
    way.weight_step(way.sample(torch.zeros(way.state.logits_LTP.shape), 5.0, 0))
    way.logits_step(5.0, 0)
    return {"bytes": _peak(device), "before": before}


def _peak(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def time_costs(problem: Problem, rounds: int = 5) -> dict[str, float]:
    """Seconds of the expected cost, forward and backward, and of finding all discrete trees from random logits."""
    num_tasks = len(problem.tasks)
    generator = torch.Generator().manual_seed(0)
    logits_LTC = torch.randn(len(problem.table.blocks), num_tasks, num_tasks, generator=generator).requires_grad_()

    def expect() -> None:
        expected_cost(logits_LTC.softmax(dim=-1), problem.table, "macs").backward()  # type: ignore[no-untyped-call]

    def decide() -> None:
        discretize(problem.names, dissimilarity_from_logits(logits_LTC.detach()), problem.table, "macs")

    cpu = torch.device("cpu")
    return {
        "expected cost": min(_seconds(expect, cpu) for _ in range(rounds)),
        "discretise": min(_seconds(decide, cpu) for _ in range(1 if num_tasks > 6 else 2)),
    }


def schedule_seconds(times: dict[str, float]) -> float:
    """Seconds of an average weight step of a search, with its share of logits steps: one per four (80 : 20)."""
    warm = 1 / 20
    weights = warm * times["weight step, warm-up"] + (1 - warm) * times["weight step, schedule"]
    return weights + (1 - warm) * times["logits step, uniform"] / 4
