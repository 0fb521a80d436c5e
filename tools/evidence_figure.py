"""The picture of the results of `tools/evidence.py`, with one panel per problem, to be read at the width of a README.

Bars on real problems are standard errors over the seeds.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from evidence_problems import PROBLEMS
from evidence_report import Line, UnitResult, lines_of
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
OTHER = "#9970ab"
"""Of further methods."""


WIDTH = 8.3
"""Inches. At 100 pixels to the inch the picture is as wide as a README is shown, so a point is 1.4 pixels there."""
NUM_COLUMNS = 2
LINE_HEIGHT, PANEL_HEIGHT = 0.34, 3.0
"""Inches: of one method's line, and of a panel of costs."""
TITLE, TEXT = 11, 9
"""Sizes of text in points; smaller text cannot be read at the width of a README."""


def draw(units: Mapping[str, Sequence[UnitResult]], path: Path) -> None:
    """Planted problems: agreement with the planted tree, seed by seed. Real ones: delta_m against cost."""
    rows = [list(units.items())[i : i + NUM_COLUMNS] for i in range(0, len(units), NUM_COLUMNS)]
    heights = [max(panel_height(name, found) for name, found in row) for row in rows]
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    grid = figure.subplots(len(rows), NUM_COLUMNS, squeeze=False, height_ratios=heights)
    for axes, row in zip(grid, rows, strict=True):
        for axis, (name, found) in zip(axes, row, strict=False):
            (draw_agreement if PROBLEMS[name].planted else draw_front)(axis, found)
            axis.set_title(f"{name}, {len(found)} seeds", fontsize=TITLE, loc="left")
            axis.spines[["top", "right"]].set_visible(False)
            axis.tick_params(labelsize=TEXT)
        for axis in axes[len(row) :]:
            axis.remove()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200)


def panel_height(name: str, units: Sequence[UnitResult]) -> float:
    return 1.0 + LINE_HEIGHT * len(agreement_lines(units)) if PROBLEMS[name].planted else PANEL_HEIGHT


def agreement_lines(units: Sequence[UnitResult]) -> list[Line]:
    return [line for line in lines_of(units) if line[0] not in ("shared", "separate", "planted")]


def draw_agreement(axis: Axes, units: Sequence[UnitResult]) -> None:
    lines = agreement_lines(units)
    rng = np.random.default_rng(0)
    for row, line in enumerate(lines):
        values = [unit.mean(line, "ari") for unit in units if line in unit.lines]
        color = COLORS.get(line[0], OTHER)
        # Points are spread vertically, so that equal values do not cover each other.
        axis.scatter(values, row + rng.uniform(-0.18, 0.18, len(values)), s=16, color=color, alpha=0.55, linewidths=0)
        axis.plot([statistics.fmean(values)] * 2, [row - 0.32, row + 0.32], color=color, linewidth=2.5)
    plain = ("its cost", "argmax")
    names = [method if label in plain or "no budget" in method else f"{method},\n{label}" for method, label in lines]
    axis.set_yticks(range(len(lines)), names)
    axis.invert_yaxis()
    axis.set_xlim(-0.35, 1.05)
    axis.set_xticks([0, 0.5, 1])
    axis.set_xlabel("agreement with the planted tree (ARI)", fontsize=TEXT)


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
        color, marker = COLORS.get(method, OTHER), "s" if method == "separate" else "o"
        axis.errorbar(costs, means, errors, marker=marker, markersize=5, capsize=3, color=color, label=method)
    axis.axhline(0.0, color="#bbbbbb", linewidth=0.8, zorder=0)
    axis.set_xlabel("MACs, share of separate networks", fontsize=TEXT)
    axis.set_ylabel("delta_m, %", fontsize=TEXT)
    # Below the panel, since the curves of a problem leave no corner free.
    axis.legend(fontsize=TEXT, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)
