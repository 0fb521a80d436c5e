"""What a finished run knows, read once for all sections of its report."""

import math
import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from nas.run import Front, Point, RunFolder, TrialFolder
from nas.run.comparison import Comparison, Row, random_beside
from nas.run.costs import read_costs
from nas.run.evidence import read_transfer
from nas.run.front import merit
from nas.strategies.transfer.gains import mean_gain
from nas.strategies.transfer.record import TransferRecord
from nas.training import half_interval
from nas.tree import BranchTree, CostTable, read_tree

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class TaskGain:
    """What a task gains over its single-task network, in percent; ``half`` is half its 95 % interval, if known.

    Args:
        sign: "gain" or "loss" if the interval leaves out 0, "unsure" if it does not, or if there is none.
    """

    task: str
    mean: float
    half: float | None

    @property
    def sign(self) -> Literal["gain", "loss", "unsure"]:
        if self.half is None or not abs(self.mean) > self.half:
            return "unsure"
        return "gain" if self.mean > 0 else "loss"

    @property
    def amount(self) -> str:
        """``+1.9 ± 0.6 %``."""
        if not math.isfinite(self.mean):
            return "not known"
        half = "" if self.half is None else f" ± {self.half:.1f}"
        mean = f"{self.mean:+.1f}" if abs(self.mean) >= 0.05 else "0.0"
        return f"{mean}{half} %".replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class Gains:
    """What the tasks of a tree gain, their mean, and in words how that is known."""

    kind: Literal["measured", "estimated"]
    about: str
    tasks: tuple[TaskGain, ...]
    mean: TaskGain

    @property
    def rows(self) -> tuple[TaskGain, ...]:
        """The tasks and their mean."""
        return (*self.tasks, self.mean)


MEAN = "mean of the tasks"


@dataclass(frozen=True)
class Known:
    """The files of a finished run."""

    run: RunFolder
    front: Front
    table: CostTable

    @classmethod
    def of(cls, run: RunFolder) -> "Known":
        """Read a run; InputError if its search is not finished or a file is malformed."""
        front = run.front
        table = read_costs(run, front.leading.trial)
        assert table is not None  # every trial writes its costs before its trees
        return cls(run, front, table)

    @property
    def resource(self) -> str:
        return self.front.resource

    @property
    def trial(self) -> TrialFolder:
        """The trial that explains the recommended tree."""
        return self.run.trial(self.front.leading.trial)

    @cached_property
    def comparison(self) -> Comparison | None:
        folder = self.run.path / "compare"
        return Comparison.read(folder) if (folder / "results.json").is_file() else None

    @cached_property
    def transfer(self) -> TransferRecord | None:
        return read_transfer(self.trial)

    @cached_property
    def points_of(self) -> Mapping[str, list[Point]]:
        """The points of each tree by id, cheapest first."""
        found: dict[str, list[Point]] = {}
        for point in self.front.points:
            found.setdefault(point.tree_id, []).append(point)
        return found

    @cached_property
    def points(self) -> Mapping[str, Point]:
        """The best point of each tree by id."""
        leading = {self.front.leading.tree_id: self.front.leading}
        return {name: max(points, key=merit) for name, points in self.points_of.items()} | leading

    @cached_property
    def trees(self) -> Mapping[str, BranchTree]:
        return {name: read_tree(self.run.path / point.tree) for name, point in self.points.items()}

    @cached_property
    def tables(self) -> Mapping[str, CostTable]:
        """By tree, the costs of its backbone: trials may have different backbones."""
        by_trial = {number: read_costs(self.run, number) for number in {one.trial for one in self.points.values()}}
        return {name: by_trial[point.trial] or self.table for name, point in self.points.items()}

    @cached_property
    def letters(self) -> Mapping[str, str]:
        """By id, a letter for each tree that no other one beats, cheapest first; the others are called by their ids."""
        best = {point.tree_id: None for point in self.front.points if not point.dominated}
        return {name: LETTERS[i] if i < len(LETTERS) else f"Z{i - 24}" for i, name in enumerate(best)}

    def name(self, tree_id: str) -> str:
        """``tree B``, or the id of a tree without a letter."""
        return f"tree {self.letters.get(tree_id, tree_id)}"

    def row(self, tree_id: str) -> Row | None:
        """A tree's row in the comparison."""
        if self.comparison is None:
            return None
        shared = self.trees[tree_id] == BranchTree.shared(self.trees[tree_id].tasks, len(self.table.blocks))
        rows = self.comparison.rows
        found = (row for row in rows if row.kind == "found" and row.name == tree_id)
        return next(found, next((row for row in rows if row.kind == "shared" and shared), None))

    def gains(self, tree_id: str) -> Gains | None:
        """What each task of a tree gains over its single-task network: measured, or else estimated; or None."""
        row = self.row(tree_id)
        if row is not None and row.relative:
            seeds = "one seed" if len(row.by_seed) == 1 else f"{len(row.by_seed)} seeds; ± half the 95 % interval"
            about = f"measured by nas compare: change of the metrics on the test split, {seeds}"
            return Gains("measured", about, gains_of(row), TaskGain(MEAN, row.delta_m, row.half_interval))
        record = self.transfer
        if record is None or (estimated := record.gains_of(self.trees[tree_id])) is None:
            return None
        about = "estimated by the search from short trainings: change of the loss; ± half the 95 % interval"
        mean = mean_gain(list(estimated.values()), record.correlation)
        every = {**estimated, MEAN: mean}.items()
        # 1.96 standard deviations of a normal distribution are its 95 % interval.
        *tasks, last = (TaskGain(task, gain.mean, 1.96 * gain.std) for task, gain in every)
        return Gains("estimated", about, tuple(tasks), last)

    def with_names(self, sentence: str) -> str:
        """A sentence of the search or of a comparison, with the letters of the trees in place of their ids."""
        for tree_id, letter in self.letters.items():
            sentence = re.sub(rf"\b(tree )?{tree_id}\b", f"tree {letter}", sentence)
        return sentence


def gains_of(row: Row) -> tuple[TaskGain, ...]:
    """The measured gains of a row, mean over the seeds."""
    return tuple(
        TaskGain(task, statistics.fmean(values), half_interval(values)) for task, values in row.relative.items()
    )


def network_name(known: Known, row: Row) -> str:
    """What the report calls the network of a row."""
    if row.kind == "single":
        return "separate networks"
    if row.kind == "shared":
        return "the shared tree"
    tree_id = row.name.removeprefix(random_beside(""))
    return known.name(tree_id) if row.kind == "found" else f"random trees beside {known.name(tree_id)}"
