"""Times the three ways to compute the expected number of groups, forward and backward, and shows how they grow.

    .venv/bin/python tools/bench_expected_cost.py [--threads 1] [--samples 4096] [--seconds 0.3]

The form that `expected_groups` chooses is marked. It chooses by the number of elements, which the table shows. A dash
stands for an exact form with more than four times the limit of elements.
"""

import argparse
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from nas.cost.expected import (
    EXACT_LIMIT,
    Form,
    choose_form,
    count_elements,
    groups_by_paths,
    groups_by_sampling,
    groups_by_subsets,
)

SIZES = {
    "tasks": [(18, t, t) for t in (4, 8, 12, 15, 18)],
    "blocks": [(l, 40, 5) for l in (3, 4, 5, 6, 7)],
    "candidates": [(4, 40, c) for c in (3, 5, 10, 20, 40)],
    "few blocks, many candidates": [(3, 12, c) for c in (6, 12, 24, 48)],
}
"""What grows, and (L, T, C)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--samples", type=int, default=4096)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each number, which is the shortest time")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    generator = torch.Generator().manual_seed(0)
    forms: dict[Form, Callable[[Tensor], Tensor]] = {
        "subsets": groups_by_subsets,
        "paths": groups_by_paths,
        "sampling": lambda probs_LTC: groups_by_sampling(probs_LTC, given.samples, generator),
    }
    console = Console(width=130)
    for name, sizes in SIZES.items():
        table = Table(
            "L", "T", "C", *(f"{form}, ms" for form in forms), "elements, subsets", "elements, paths", "growth"
        )
        table.add_column("chosen / fastest exact")
        table.title = f"E[N_l] against {name}, {given.threads} threads, {given.samples} samples"
        before: dict[Form, float] = {}
        for size in sizes:
            elements, chosen = count_elements(*size), choose_form(*size)
            spent = {
                form: milliseconds(function, size, given.seconds)
                for form, function in forms.items()
                if elements.get(form, 0) <= 4 * EXACT_LIMIT
            }
            growth = f"x {spent[chosen] / before[chosen]:.1f}" if chosen in before else ""
            exact = [spent[form] for form in elements if form in spent]
            table.add_row(
                *map(str, size),
                *(("*" if form == chosen else "") + (f"{spent[form]:.1f}" if form in spent else "-") for form in forms),
                *(f"{count:.1e}" for count in elements.values()),
                growth,
                f"{spent[chosen] / min(exact):.2f}" if exact else "",
            )
            before = spent
        console.print(table)


def milliseconds(function: Callable[[Tensor], Tensor], size: tuple[int, int, int], seconds: float) -> float:
    """Wall-clock time of value and gradient, the shortest of as many runs as fit."""
    logits_LTC = torch.randn(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    fastest, begin = float("inf"), time.perf_counter()
    while time.perf_counter() - begin < seconds or fastest == float("inf"):
        start = time.perf_counter()
        torch.autograd.grad(function(logits_LTC.softmax(-1)).sum(), logits_LTC)
        fastest = min(fastest, time.perf_counter() - start)
    return 1e3 * fastest


if __name__ == "__main__":
    main()
