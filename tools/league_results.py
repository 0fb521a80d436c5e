"""What the entries of the league reached: quality, gap to the best known tree, and hypervolume of the front."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence_problems import PROBLEMS
from evidence_results import Result, judge_of
from evidence_unit import Tree, Unit

from nas.files import read_json

Entry = tuple[str, float]
"""A strategy and what it may cost, in trainings."""

WORST_LOSS, WORST_DELTA = -4.0, -50.0
"""Qualities of the hypervolume's reference point: four times the planted tree's loss, and a delta_m of -50 %. Its cost
is that of separate networks."""


@dataclass(frozen=True)
class EntryResult:
    """What an entry reached in one unit.

    Args:
        spent: realised cost in trainings.
        seconds: processor time of the search.
        results: of the tree of each budget, in the order of the budgets.
        gaps: how much better the best trained tree within each budget is.
        hypervolume: see `hypervolume`; costs are shares of separate networks'.
    """

    spent: float
    seconds: float
    results: Sequence[Result]
    gaps: Sequence[float]
    hypervolume: float

    @property
    def quality(self) -> float:
        """The mean over the budgets."""
        return statistics.fmean(known(result) for result in self.results)

    @property
    def gap(self) -> float:
        """The mean over the budgets."""
        return statistics.fmean(self.gaps)


@dataclass(frozen=True)
class LeagueUnit:
    """One unit of the league.

    Args:
        budgets: as the experiment states them.
        entries: None for a strategy that cannot be had for the cost; unfinished ones are left out.
        controls: qualities of the controls by name.
    """

    seed: int
    budgets: Sequence[float]
    entries: Mapping[Entry, EntryResult | None]
    controls: Mapping[str, float]


def load(name: str, folder: Path) -> LeagueUnit | None:
    """The finished entries of a unit; None before its controls are trained."""
    if not (folder / "league.json").is_file():
        return None
    record, unit = read_json(folder / "league.json"), Unit(PROBLEMS[name], int(folder.name), folder)
    searches = {path.parent.name: read_json(path) for path in sorted(folder.glob("league/*/search.json"))}
    trees: list[Tree] = [*record["trees"], *(tree for search in searches.values() for tree in search["trees"])]
    if (folder / "trees.json").is_file():
        trees += read_json(folder / "trees.json")["trees"]
    judge = judge_of(unit, trees, record["separate"])
    if judge is None:
        return None
    results = {tree["id"]: (tree["cost"]["macs"], judge.result(tree)) for tree in trees if tree["method"] != "single"}
    trained = [(macs, result.quality) for macs, result in results.values() if result.quality is not None]
    best = {budget: max(quality for macs, quality in trained if macs <= limit) for budget, limit in record["limits"]}
    entries: dict[Entry, EntryResult | None] = {}
    for entry, search in searches.items():
        strategy, _, cost = entry.rpartition("-")
        if not search["trees"]:
            entries[strategy, float(cost)] = None
        elif all(tree["id"] in judge.tests for tree in search["trees"]):
            found = {tree["label"]: results[tree["id"]] for tree in search["trees"]}
            points = [(macs / record["separate"], known(result)) for macs, result in found.values()]
            entries[strategy, float(cost)] = EntryResult(
                search["cost"],
                search["seconds"],
                [found[budget][1] for budget in best],
                [best[budget] - known(found[budget][1]) for budget in best],
                hypervolume(points, WORST_DELTA if unit.problem.planted is None else WORST_LOSS),
            )
    names = {tree["method"] for tree in record["trees"]} - {"single", "planted"}
    controls = {
        name: statistics.fmean(known(results[tree["id"]][1]) for tree in record["trees"] if tree["method"] == name)
        for name in sorted(names)
        if all(tree["id"] in judge.tests for tree in record["trees"] if tree["method"] == name)
    }
    return LeagueUnit(unit.seed, list(best), entries, controls)


def known(result: Result) -> float:
    """The quality of a trained tree."""
    assert result.quality is not None
    return result.quality


def hypervolume(points: Sequence[tuple[float, float]], worst: float) -> float:
    """The area that pairs (cost, quality) dominate, up to a cost of 1 and down to the quality ``worst``.

    >>> hypervolume([(0.5, 2.0), (0.75, 4.0), (0.8, 1.0)], 0.0)
    1.5
    """
    area, best = 0.0, -math.inf
    ordered = sorted(point for point in points if point[0] < 1.0)
    ends = [cost for cost, _ in ordered[1:]] + [1.0]
    for (cost, quality), end in zip(ordered, ends, strict=False):
        best = max(best, quality)
        area += (end - cost) * max(0.0, best - worst)
    return area
