"""Heat maps: what sharing does to each pair of tasks, and how unlike the tasks are, block by block."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.report.html.known import Known
from nas.run.evidence import SOURCES, Section, pairs_of
from nas.strategies.transfer.gains import Gain
from nas.strategies.transfer.transfer_map import Panel as EffectsPanel
from nas.strategies.transfer.transfer_map import transfer_map
from nas.tree import BranchTree

MOST_CELLS = 6000
"""Cells of all heat maps of one source together."""


@dataclass(frozen=True)
class Cell:
    """A number with its colour: ``hue`` is "gain", "loss" or nothing, ``strength`` a percentage.

    Args:
        sure: whether the number is certain.
        shared: whether the two tasks share the block in the recommended tree.
        words: what the cell says, for screen readers and pointers.
    """

    text: str
    hue: str
    strength: int
    sure: bool
    shared: bool
    words: str


@dataclass(frozen=True)
class Panel:
    """A heat map; a cell of the diagonal is None."""

    title: str
    rows: list[tuple[str, list[Cell | None]]]


@dataclass(frozen=True)
class HeatMaps:
    """The heat maps of one source of evidence, and its sentence on each pair of tasks."""

    title: str
    about: str
    legend: str
    tasks: list[str]
    panels: list[Panel]
    sentences: list[str]
    left_out: int = 0


def heat_maps(known: Known) -> list[HeatMaps]:
    """The heat maps of all that the search of the recommended tree knows about its tasks."""
    tree = known.trees[known.front.leading.tree_id]
    pairs = pairs_of(tree, tree.tasks, known.trial, known.resource)
    found = []
    for source in SOURCES:
        section = source(known.trial, tree, pairs)
        if section is not None and section.pairs:
            found.append(_of_effects(known, section) if section.source == "transfer" else _of_pairs(section, tree))
    return [one for one in found if one is not None]


@dataclass(frozen=True)
class _Reading:
    """How a source's numbers are shown: a title, a legend, and for a row its number, size, certainty and words."""

    title: str
    legend: str
    number: Callable[[Mapping[str, Any]], float]
    apart: Callable[[float], bool]
    sure: Callable[[Mapping[str, Any]], bool]
    form: str


def _excess_is_certain(row: Mapping[str, Any]) -> bool:
    # 1.96 standard errors: the 95 % interval leaves out 0.
    return "error" in row and abs(row["excess"]) > 1.96 * row["error"]


_READINGS = {
    "similarity": _Reading(
        "How unlike the tasks are, block by block",
        "Distance of two tasks' features minus the noise floor (the distance of two networks of one task). Orange: "
        "unlike, which speaks for parting. Blue: not more unlike than two networks of one task. Bold: certain. Framed: "
        "the recommended tree shares the block.",
        lambda row: float(row["excess"]),
        lambda value: value > 0,
        _excess_is_certain,
        "+.2f",
    ),
    "logits": _Reading(
        "How often two tasks choose the same candidate, block by block",
        "Probability of the same choice minus that of chance. Blue: they choose alike. Orange: they part. Framed: the "
        "recommended tree shares the block.",
        lambda row: float(row["same"] - row["chance"]),
        lambda value: value < 0,
        lambda row: False,
        "+.2f",
    ),
    "parents": _Reading(
        "How often two tasks descend from the same node, block by block",
        "Probability of the same node minus that of chance. Blue: they meet. Orange: they part. Framed: the "
        "recommended tree shares the block.",
        lambda row: float(row["same"] - row["chance"]),
        lambda value: value < 0,
        lambda row: False,
        "+.2f",
    ),
}


def _of_pairs(section: Section, tree: BranchTree) -> HeatMaps:
    reading = _READINGS[section.source]
    values = [reading.number(row) for pair in section.pairs for row in pair.rows]
    largest = max(map(abs, values)) or 1.0
    blocks = _shown_blocks(tree)
    panels = [Panel(tree.blocks[l], _grid(tree.tasks, _cells(section, reading, l, largest))) for l in blocks]
    sentences = [pair.sentence for pair in section.pairs]
    left_out = len(tree.blocks) - len(blocks)
    return HeatMaps(reading.title, section.about, reading.legend, list(tree.tasks), panels, sentences, left_out)


def _shown_blocks(tree: BranchTree) -> list[int]:
    """All blocks; if these are too many cells, those where the tree's groups change, as many as there is room for."""
    most = max(1, MOST_CELLS // len(tree.tasks) ** 2)
    if len(tree.blocks) <= most:
        return list(range(len(tree.blocks)))
    counts = [1, *tree.num_groups]
    parting = [l for l in range(len(tree.blocks)) if counts[l + 1] != counts[l]]
    return (parting or [len(tree.blocks) - 1])[:most]


def _cells(section: Section, reading: _Reading, block: int, largest: float) -> dict[frozenset[str], Cell]:
    cells = {}
    for pair in section.pairs:
        row = pair.rows[block]
        value = reading.number(row)
        text = _signed(f"{value:{reading.form}}")
        hue = "loss" if reading.apart(value) else "gain"
        together = "they share it" if row["shared"] else "they do not share it"
        sure = reading.sure(row)
        words = (
            f"{pair.tasks[0]} and {pair.tasks[1]} at {row['block']}: {text}{', certain' if sure else ''}; {together}"
        )
        cells[frozenset(pair.tasks)] = Cell(text, hue, _strength(value, largest), sure, bool(row["shared"]), words)
    return cells


def _grid(tasks: Sequence[str], cells: Mapping[frozenset[str], Cell]) -> list[tuple[str, list[Cell | None]]]:
    return [(t, [None if s == t else cells[frozenset((s, t))] for s in tasks]) for t in tasks]


def _of_effects(known: Known, section: Section) -> HeatMaps | None:
    effects = None if known.transfer is None else known.transfer.pair_effects
    if effects is None:
        return None
    shown = transfer_map(effects)
    largest = max(abs(gain.mean) for panel in shown.panels for row in panel.gains_TT for gain in row if gain) or 1.0
    most = max(1, MOST_CELLS // len(shown.tasks) ** 2)
    # The last panel is that of all blocks.
    panels = [_effects_panel(panel, shown.tasks, largest) for panel in shown.panels[-most:]]
    legend = (
        "A row says what its task gains (blue) or loses (orange), in % of its loss, if it shares these blocks with the "
        "column's task alone; in a group of n tasks, 2/n of a number counts. Bold: certain."
    )
    sentences, left_out = [pair.sentence for pair in section.pairs], len(shown.panels) - len(panels)
    title = "Which task helps, and which hurts"
    return HeatMaps(title, section.about, legend, list(shown.tasks), panels, sentences, left_out)


def _effects_panel(panel: EffectsPanel, tasks: Sequence[str], largest: float) -> Panel:
    rows = []
    for task, gains in zip(tasks, panel.gains_TT, strict=True):
        pairs = zip(tasks, gains, strict=True)
        cells = [None if gain is None else _effect(task, other, panel.name, gain, largest) for other, gain in pairs]
        rows.append((task, cells))
    return Panel(panel.name, rows)


def _effect(task: str, other: str, name: str, gain: Gain, largest: float) -> Cell:
    hue = "gain" if gain.mean > 0 else "loss"
    words = f"{task}, sharing {name} with {other}: {gain} of its loss, {gain.certainty}"
    sure = gain.certainty == "certain"
    faint = 1.0 if sure else 0.7 if gain.certainty == "likely" else 0.35
    strength = round(faint * _strength(gain.mean, largest))
    return Cell(_signed(f"{gain.mean:+.1f}"), hue, strength, sure, False, words)


def _strength(value: float, largest: float) -> int:
    """Up to 60 %, so that the number stays readable in both themes."""
    return round(60 * math.sqrt(min(1.0, abs(value) / largest)))


def _signed(text: str) -> str:
    return "0" if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")
