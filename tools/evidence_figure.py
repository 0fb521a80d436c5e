"""The picture of the results of `tools/evidence.py`, with one panel per problem."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from evidence_problems import PROBLEMS
from evidence_report import UnitResult, lines_of
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLORS = {
    "similarity": "#1b7837",
    "similarity, no budget": "#7fbf7b",
    "published": "#b2182b",
    "published + exact": "#ef8a62",
    "gradient": "#b35806",
    "hybrid": "#2166ac",
    "random": "#888888",
    "shared": "#000000",
    "separate": "#000000",
}


def draw(units: Mapping[str, Sequence[UnitResult]], path: Path) -> None:
    """Planted problems: agreement with the planted tree, seed by seed. Real ones: delta_m against cost."""
    num_columns = min(len(units), 4)
    num_rows = math.ceil(len(units) / num_columns)
    figure = Figure(figsize=(3.9 * num_columns, 3.6 * num_rows), layout="constrained")
    axes = figure.subplots(num_rows, num_columns, squeeze=False).flat
    for axis in axes[len(units) :]:
        axis.remove()
    for axis, (name, found) in zip(axes, units.items(), strict=False):
        (draw_agreement if PROBLEMS[name].planted else draw_front)(axis, found)
        axis.set_title(f"{name}, {len(found)} seeds", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def draw_agreement(axis: Axes, units: Sequence[UnitResult]) -> None:
    lines = [line for line in lines_of(units) if line[0] not in ("shared", "separate", "planted")]
    rng = np.random.default_rng(0)
    for row, line in enumerate(lines):
        values = [unit.mean(line, "ari") for unit in units if line in unit.lines]
        color = COLORS[line[0]]
        # Points are spread vertically, so that equal values do not cover each other.
        axis.scatter(values, row + rng.uniform(-0.18, 0.18, len(values)), s=14, color=color, alpha=0.55, linewidths=0)
        axis.plot([statistics.fmean(values)] * 2, [row - 0.32, row + 0.32], color=color, linewidth=2.5)
    plain = ("its cost", "argmax")
    names = [method if label in plain or "no budget" in method else f"{method},\n{label}" for method, label in lines]
    axis.set_yticks(range(len(lines)), names, fontsize=7)
    axis.invert_yaxis()
    axis.set_xlim(-0.35, 1.05)
    axis.set_xlabel("adjusted Rand index, mean over blocks", fontsize=8)


def draw_front(axis: Axes, units: Sequence[UnitResult]) -> None:
    methods = list(dict.fromkeys(line[0] for line in lines_of(units)))
    for method in methods:
        points = sorted(
            (statistics.fmean(unit.mean(line, "cost") for unit in units if line in unit.lines), values)
            for line in lines_of(units)
            if line[0] == method
            for values in [[unit.mean(line, "quality") for unit in units if line in unit.lines]]
        )
        costs, means = [cost for cost, _ in points], [statistics.fmean(values) for _, values in points]
        errors = [statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0 for _, values in points]
        axis.errorbar(costs, means, errors, marker="o", markersize=4, capsize=2, color=COLORS[method], label=method)
    axis.axhline(0.0, color="#bbbbbb", linewidth=0.8, zorder=0)
    axis.set_xlabel("MACs, share of separate networks", fontsize=8)
    axis.set_ylabel("delta_m [%], mean and standard error", fontsize=8)
    axis.legend(fontsize=7, frameon=False)
