"""Times discretisation, shows how the time grows, and compares the beam search with exact discretisation.

    .venv/bin/python tools/bench_discretize.py [--blocks 18] [--tasks 2 4 6 8] [--many 10 15 40] [--seeds 3]

Costs are the MACs of MobileNetV2's blocks. There are three kinds of dissimilarity. `uniform` is random and grows from
block to block; `latent` comes from points in the plane, so that all blocks suggest nearly the same tree; `normal` is
random with both signs. Times are processor seconds.
"""

import argparse
import itertools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

from nas.discretize.beam import beam_search
from nas.discretize.chains import Chains, Programme
from nas.discretize.lattice import Floats, Lattice
from nas.discretize.objective import Objective

MMACS = (
    52.4,
    152.6,
    134.5,
    80.8,
    57.4,
    57.4,
    39.5,
    53.9,
    53.9,
    53.9,
    66.5,
    118.6,
    118.6,
    156.3,
    323.4,
    323.4,
    480.7,
    75.5,
)
"""MobileNetV2's 17 blocks and its R-ASPP at 512 x 512 pixels, output stride 16, in millions."""

KINDS = ("uniform", "latent", "normal")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=18)
    parser.add_argument("--tasks", type=int, nargs="*", default=[4, 5, 6, 7, 8], help="for the exact programme")
    parser.add_argument("--many", type=int, nargs="*", default=[10, 15, 40], help="for the beam search alone")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    console = Console(width=120)
    console.print(exact_table(given.tasks, given.blocks))
    console.print(gap_table(given.tasks, given.blocks, given.seeds))
    console.print(beam_table(given.many, given.blocks))


def exact_table(tasks: list[int], num_blocks: int) -> Table:
    """Time for each T, with covers only, and with all refinements (the plain programme)."""
    table = Table(
        "tasks", "kind", "partitions", "covers", "refinements", "points", "s", "growth", "s, refinements", "ratio"
    )
    table.title = f"Exact programme, {num_blocks} blocks"
    before: dict[str, float] = {}
    for num_tasks, kind in itertools.product(tasks, KINDS):
        lattice, cost_L = Lattice.of_all(num_tasks), costs(num_blocks)
        naive = with_all_refinements(lattice)
        values_LP = Objective.of(dissimilarity(kind, num_tasks, num_blocks, seed=0)).values(lattice)
        chains, seconds = timed(Programme(lattice, values_LP, cost_L).chains)
        other, other_seconds = timed(Programme(naive, values_LP, cost_L).chains)
        assert np.array_equal(chains.value_K, other.value_K)
        table.add_row(
            str(num_tasks),
            kind,
            f"{len(lattice.labels_PT):,}",
            f"{len(lattice.covers):,}",
            f"{len(naive.covers):,}",
            str(len(chains.cost_K)),
            f"{seconds:.3f}",
            f"x {seconds / before[kind]:.1f}" if kind in before else "",
            f"{other_seconds:.3f}",
            f"{other_seconds / seconds:.1f}",
        )
        before[kind] = seconds
    return table


def gap_table(tasks: list[int], num_blocks: int, num_seeds: int) -> Table:
    """How much greater the beam's values are, in percent of the range of the exact curve's values."""
    table = Table("tasks", "kind", "mean gap, %", "greatest, %", "pool", "s, beam", "s, exact")
    table.title = f"Beam search against the exact programme, {num_blocks} blocks, {num_seeds} seeds"
    for num_tasks, kind in itertools.product(tasks, KINDS):
        lattice, cost_L = Lattice.of_all(num_tasks), costs(num_blocks)
        gaps, pools, seconds, exact_seconds = [], [], 0.0, 0.0
        for seed in range(num_seeds):
            objective = Objective.of(dissimilarity(kind, num_tasks, num_blocks, seed))
            values_LP = objective.values(lattice)
            exact, spent = timed(Programme(lattice, values_LP, cost_L).chains)
            exact_seconds += spent
            (programme, beam), spent = timed(beam_search, objective, cost_L)
            seconds += spent
            gaps.append(gap_K(exact, beam))
            pools.append(len(programme.lattice.labels_PT))
        percent = 100 * np.concatenate(gaps)
        table.add_row(
            str(num_tasks),
            kind,
            f"{percent.mean():.3f}",
            f"{percent.max():.2f}",
            str(max(pools)),
            f"{seconds / num_seeds:.3f}",
            f"{exact_seconds / num_seeds:.3f}",
        )
    return table


def beam_table(tasks: list[int], num_blocks: int) -> Table:
    """Time of the beam search for each T."""
    table = Table("tasks", "kind", "points", "pool", "s", "growth")
    table.title = f"Beam search, {num_blocks} blocks"
    before: dict[str, float] = {}
    for num_tasks, kind in itertools.product(tasks, KINDS):
        objective = Objective.of(dissimilarity(kind, num_tasks, num_blocks, seed=0))
        (programme, chains), seconds = timed(beam_search, objective, costs(num_blocks))
        growth = f"x {seconds / before[kind]:.1f}" if kind in before else ""
        table.add_row(
            str(num_tasks),
            kind,
            str(len(chains.cost_K)),
            str(len(programme.lattice.labels_PT)),
            f"{seconds:.2f}",
            growth,
        )
        before[kind] = seconds
    return table


def gap_K(exact: Chains, beam: Chains) -> Floats:
    """At the cost of each exact point: (best value of the beam - exact value) / range of exact values."""
    cheap_enough = np.searchsorted(beam.cost_K, exact.cost_K, side="right") - 1
    span = max(1, exact.value_K[0] - exact.value_K[-1])
    gaps: Floats = (beam.value_K[cheap_enough] - exact.value_K) / span
    return gaps


def with_all_refinements(lattice: Lattice) -> Lattice:
    """The same partitions with all refinements instead of the covers: the plain programme."""
    above: list[set[int]] = [set() for _ in lattice.labels_PT]
    for coarse, fine in lattice.covers.tolist():
        above[fine] |= above[coarse] | {coarse}
    pairs = [(coarse, fine) for fine, coarser in enumerate(above) for coarse in sorted(coarser)]
    return Lattice(lattice.labels_PT, np.array(pairs))


def costs(num_blocks: int) -> Floats:
    return np.resize(np.array(MMACS), num_blocks) * 1e6


def dissimilarity(kind: str, num_tasks: int, num_blocks: int, seed: int) -> Floats:
    generator = np.random.default_rng(seed)
    depth_L = np.linspace(0.3, 1.0, num_blocks)[:, None, None]
    noise_LTT = generator.normal(size=(num_blocks, num_tasks, num_tasks))
    match kind:
        case "uniform":
            raw_LTT = depth_L * generator.uniform(size=noise_LTT.shape) - 0.15
        case "latent":
            points_TX = generator.normal(size=(num_tasks, 2))
            distance_TT = np.linalg.norm(points_TX[:, None] - points_TX, axis=2)
            raw_LTT = depth_L * distance_TT / distance_TT.max() - 0.1 + 0.03 * noise_LTT
        case _:
            raw_LTT = noise_LTT
    symmetric_LTT: Floats = (raw_LTT + raw_LTT.swapaxes(1, 2)) / 2
    return symmetric_LTT


def timed(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> tuple[Result, float]:
    start = time.process_time()
    result = function(*args, **kwargs)
    return result, time.process_time() - start


if __name__ == "__main__":
    main()
