"""Makes tables and a picture from the results of `tools/evidence.py`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence_problems import OWN_CHOICE, PROBLEMS
from evidence_results import Result, interval, judge_of, markdown, verdict
from evidence_unit import Unit

from nas.files import read_json

Line = tuple[str, str]
"""A method and the label of its tree: a budget, "argmax", ..."""


@dataclass(frozen=True)
class UnitResult:
    """A finished unit: its trees by line (a line may have several random trees), and the cost of each search."""

    seed: int
    lines: Mapping[Line, Sequence[Result]]
    search_cost: Mapping[str, float]
    seconds: Mapping[str, float]

    def mean(self, line: Line, field: str) -> float:
        """NaN if one has no value."""
        values = [getattr(result, field) for result in self.lines[line]]
        return math.nan if None in values else statistics.fmean(values)


def report(names: Sequence[str], out: Path, figure: Path | None) -> str:
    """Markdown: a table and the paired differences for each problem with a finished unit."""
    units = {
        name: [unit for seed in PROBLEMS[name].seeds if (unit := load(name, out / name / str(seed)))] for name in names
    }
    units = {name: found for name, found in units.items() if found}
    if figure is not None:
        from evidence_figure import draw

        draw(units, figure)
    return "\n\n".join(section(name, found) for name, found in units.items()) or f"{out}: nothing is finished yet"


def load(name: str, folder: Path) -> UnitResult | None:
    """A unit's results for all trained trees (for all trees if the problem trains none); None without controls."""
    if not (folder / "trees.json").is_file():
        return None
    record, unit = read_json(folder / "trees.json"), Unit(PROBLEMS[name], int(folder.name), folder)
    judge = judge_of(unit, record["trees"], record["separate"]["macs"])
    if judge is None:
        return None
    lines: dict[Line, list[Result]] = {}
    for tree in record["trees"]:
        if tree["method"] == "single" or not (tree["id"] in judge.tests or unit.problem.only_valid):
            continue
        # The share that a planted tree costs differs from seed to seed.
        at_budget = unit.problem.planted is not None and isinstance(tree["label"], float)
        line = (tree["method"], "its cost" if at_budget else str(tree["label"]))
        lines.setdefault(line, []).append(judge.result(tree))
    searches = {path.stem: read_json(path) for path in folder.glob("*.json") if path.stem in method_names(name)}
    return UnitResult(
        unit.seed,
        lines,
        {method: search["search_cost"] for method, search in searches.items()},
        {method: search["seconds"] for method, search in searches.items()},
    )


def method_names(name: str) -> set[str]:
    return {method.name for method in PROBLEMS[name].methods}


def section(name: str, units: Sequence[UnitResult]) -> str:
    """One problem: its table, then the first method against the others, paired by seed."""
    planted = PROBLEMS[name].planted is not None
    results = ["ARI", "exact", "loss"] if planted else ["delta_m [%]", "loss gain [%]"]
    head = ["method", "tree", "cost", *results, "search cost", "s"]
    rows = [head]
    for line in lines_of(units):
        having = [unit for unit in units if line in unit.lines]
        cells = [*line, f"{statistics.fmean(unit.mean(line, 'cost') for unit in having):.2f}"]
        if planted:
            exact = sum(all(result.exact for result in unit.lines[line]) for unit in having)
            cells += [interval([unit.mean(line, "ari") for unit in having]), f"{exact} of {len(having)}"]
            cells.append(interval([-unit.mean(line, "quality") for unit in having]))
        else:
            cells.append(interval([unit.mean(line, "quality") for unit in having]))
            cells.append(interval([unit.mean(line, "loss_gain") for unit in having]))
        # One training may give several trees; its cost is shown at the first.
        method = line[0]
        cells += [
            mean_of(unit.search_cost.get(method) for unit in having),
            mean_of(unit.seconds.get(method) for unit in having),
        ]
        rows.append(cells)
    unit = "the planted tree's" if planted else "separate networks'"
    words = (
        f"{len(units)} seeds; mean and half of the 90 % interval; cost as a share of {unit}; "
        "search cost in trainings; seconds of one core, shared with other work."
    )
    return "\n\n".join([f"### {name}", words, markdown(rows), *differences(units, planted)])


def differences(units: Sequence[UnitResult], planted: bool) -> list[str]:
    """Similarity against the others, paired by seed: its own choice, and its tree of the budget."""
    texts = []
    ours = [line for line in lines_of(units) if line[0] == "similarity"]
    for other in lines_of(units):
        if other[0].startswith("similarity") or other[0] in ("planted", "separate"):
            continue
        for line in ours:
            # A planted problem has one budget, at which both methods are compared.
            if not planted and line[1] not in (OWN_CHOICE, other[1]):
                continue
            for field in ("ari", "quality") if planted else ("quality", "loss_gain"):
                having = [unit for unit in units if line in unit.lines and other in unit.lines]
                gaps = [unit.mean(line, field) - unit.mean(other, field) for unit in having]
                if not gaps or math.isnan(sum(gaps)):
                    continue
                quality = "loss (minus)" if planted else "delta_m"
                what = {"ari": "ARI", "loss_gain": "loss gain", "quality": quality}[field]
                pair = f"{' '.join(line)} minus {' '.join(other)}"
                texts.append(f"- {what}, {pair}: {interval(gaps)}{verdict(gaps)}")
    return ["\n".join(texts)] if texts else []


def mean_of(values: Iterable[Any]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.fmean(known):.1f}" if known else ""


def lines_of(units: Sequence[UnitResult]) -> list[Line]:
    return list(dict.fromkeys(line for unit in units for line in unit.lines))
