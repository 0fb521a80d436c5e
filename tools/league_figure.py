"""The picture of the league: gap to the best known tree against search cost, with one panel per problem."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from evidence_problems import PROBLEMS
from league_results import Entry, LeagueUnit
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from nas.training import half_interval

STYLES = {
    "random": ("#888888", "o"),
    "evolution": ("#9ecae1", "s"),
    "tpe": ("#4292c6", "^"),
    "transfer": ("#08519c", "o"),
    "two_task": ("#6a51a3", "D"),
    "grouping": ("#9e9ac8", "s"),
    "similarity": ("#1b7837", "o"),
    "what_to_share": ("#7fbf7b", "s"),
    "gradient": ("#b35806", "o"),
    "one_path": ("#7f3b08", "D"),
    "dselect_k": ("#e08214", "^"),
    "entmax": ("#fdb863", "v"),
    "bmtas": ("#b2182b", "s"),
    "ltb": ("#67001f", "P"),
    "gradient_affinity": ("#e0a400", "^"),
    "lookahead": ("#ef8a62", "D"),
    "bottom_up": ("#c51b7d", "v"),
}
"""Colour and marker; searches that train trees are blue, own copies green, supernets and shared networks red."""


def draw(units: Mapping[str, Sequence[LeagueUnit]], entries: Sequence[Entry], path: Path) -> None:
    """Made for a width of 830 pixels."""
    num_columns = min(len(units), 2)
    num_rows = math.ceil(len(units) / num_columns)
    figure = Figure(figsize=(8.3, 3.1 * num_rows + 0.9), layout="constrained")
    axes = figure.subplots(num_rows, num_columns, squeeze=False).flat
    for axis in axes[len(units) :]:
        axis.remove()
    lines = {}
    for axis, (name, found) in zip(axes, units.items(), strict=False):
        lines |= draw_gaps(axis, found, entries)
        planted = PROBLEMS[name].planted is not None
        axis.set_ylabel(f"gap, in {'losses of the planted tree' if planted else 'points of delta_m'}", fontsize=9)
        num_seeds = [sum(entry in unit.entries for unit in found) for entry in entries]
        seeds = sorted({number for number in num_seeds if number})
        axis.set_title(f"{name}, {' to '.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))} seeds", fontsize=10)
    figure.legend(lines.values(), lines, loc="outside lower center", ncols=6, fontsize=9, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200)


def draw_gaps(axis: Axes, units: Sequence[LeagueUnit], entries: Sequence[Entry]) -> dict[str, object]:
    """A line per strategy, with 95 % intervals; strategies are a little apart, so that intervals do not cover."""
    strategies, costs = (list(dict.fromkeys(each)) for each in zip(*entries, strict=True))
    lines: dict[str, object] = {}
    for place, strategy in enumerate(strategies):
        points = []
        for cost in costs:
            found = [result for unit in units if (result := unit.entries.get((strategy, cost))) is not None]
            if found:
                gaps = [result.gap for result in found]
                points.append((cost, statistics.fmean(gaps), half_interval(gaps) or 0.0))
        if not points:
            continue
        color, marker = STYLES.get(strategy, ("#000000", "x"))
        shift = 1.025 ** (place - (len(strategies) - 1) / 2)
        asked, means, halves = zip(*points, strict=True)
        lines[strategy] = axis.errorbar(
            *([cost * shift for cost in asked], means, halves),
            color=color,
            marker=marker,
            markersize=5,
            linewidth=1.4,
            elinewidth=0.8,
            label=strategy,
        )
    axis.set_xscale("log")
    axis.set_xticks(costs, [f"{cost:g}" for cost in costs], fontsize=9)
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.tick_params(axis="y", labelsize=9)
    axis.set_ylim(bottom=0.0)
    axis.set_xlabel("search cost, in trainings", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    return lines
