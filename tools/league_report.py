"""Makes tables and a picture from the results of `tools/league.py`."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from evidence_problems import PROBLEMS
from evidence_results import interval, markdown
from league_results import WORST_DELTA, WORST_LOSS, Entry, LeagueUnit, load

from nas.training import FEWEST_SEEDS, half_interval

OPPONENTS = ("random", "similarity")
"""Every entry is compared with these strategies at the same cost."""


def report(
    names: Sequence[str], strategies: Sequence[str], costs: Sequence[float], out: Path, figure: Path | None
) -> str:
    """Markdown: a table for each problem with a finished entry."""
    entries = [(strategy, cost) for cost in costs for strategy in strategies]
    units = {
        name: [unit for seed in PROBLEMS[name].seeds if (unit := load(name, out / name / str(seed)))] for name in names
    }
    units = {name: found for name, found in units.items() if any(unit.entries for unit in found)}
    if figure is not None:
        from league_figure import draw

        draw(units, entries, figure)
    return "\n\n".join(section(name, found, entries) for name, found in units.items()) or f"{out}: nothing is finished"


def section(name: str, units: Sequence[LeagueUnit], entries: Sequence[Entry]) -> str:
    """One problem: its table, its controls, and the command for a row."""
    planted = PROBLEMS[name].planted is not None
    budgets = [f"delta_m at {budget:g} [%]" for budget in units[0].budgets]
    head = ["strategy", "trainings", "spent", "s", *(["ARI", "exact", "loss / planted"] if planted else budgets)]
    head += ["gap", "hypervolume", "seeds", *(f"minus {opponent}" for opponent in OPPONENTS)]
    rows = [row(units, entry, planted) for entry in entries if any(entry in unit.entries for unit in units)]
    better = "minus the loss relative to the planted tree's" if planted else "delta_m, the mean over the budgets"
    reference = f"{-WORST_LOSS:g} times the planted tree's loss" if planted else f"a delta_m of {WORST_DELTA:g} %"
    words = (
        "Mean and half of the 95 % interval, by Student's t. Gap: how much better the best trained tree within the "
        f"budget is. Hypervolume: above {reference}, up to separate networks' cost. The last columns compare qualities "
        f"({better}) by seed at the same cost; * marks intervals without 0 of {FEWEST_SEEDS} seeds or more. "
        "-: cannot be had for the cost."
    )
    sign = -1.0 if planted else 1.0
    controls = ", ".join(
        f"{control} {interval([sign * unit.controls[control] for unit in units if control in unit.controls], 0.95)}"
        for control in units[0].controls
    )
    return "\n\n".join(
        [
            f"### {name}",
            words,
            markdown([head, *rows]),
            f"Controls, {'loss / planted' if planted else 'delta_m'}: {controls}.",
            f"A row again: `tools/league.py --problems {name} --strategies STRATEGY --costs TRAININGS --seeds SEEDS`",
        ]
    )


def row(units: Sequence[LeagueUnit], entry: Entry, planted: bool) -> list[str]:
    """The cells of an entry."""
    found = [result for unit in units if (result := unit.entries.get(entry)) is not None]
    name = [entry[0], f"{entry[1]:g}"]
    if not found:
        num_results = 3 if planted else len(units[0].budgets)
        return [*name, *["-"] * (num_results + 5 + len(OPPONENTS))]
    cells = [f"{statistics.fmean(each.spent for each in found):.2f}"]
    cells.append(f"{statistics.fmean(each.seconds for each in found):.0f}")
    by_budget = list(zip(*(each.results for each in found), strict=True))
    if planted:
        (results,) = by_budget
        cells.append(interval([result.ari for result in results], 0.95))
        cells.append(f"{sum(result.exact for result in results)} of {len(results)}")
        cells.append(interval([-each.quality for each in found], 0.95))
    else:
        cells += [interval([result.quality for result in results], 0.95) for results in by_budget]
    cells += [interval([each.gap for each in found], 0.95), interval([each.hypervolume for each in found], 0.95)]
    return [*name, *cells, str(len(found)), *(difference(units, entry, opponent) for opponent in OPPONENTS)]


def difference(units: Sequence[LeagueUnit], entry: Entry, opponent: str) -> str:
    """An entry's quality less that of another strategy at the same cost, paired by seed."""
    if entry[0] == opponent:
        return ""
    pairs = [(unit.entries.get(entry), unit.entries.get((opponent, entry[1]))) for unit in units]
    gaps = [ours.quality - theirs.quality for ours, theirs in pairs if ours is not None and theirs is not None]
    if not gaps:
        return ""
    half = half_interval(gaps)
    shown = half is not None and len(gaps) >= FEWEST_SEEDS and abs(statistics.fmean(gaps)) > half
    return interval(gaps, 0.95) + ("*" if shown else "")
