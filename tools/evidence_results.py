"""What trained trees are worth, relative to a unit's reference, and means of it with intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evidence_problems import Problem
from evidence_unit import Tree, Unit
from validity import mean_test_loss

from nas.files import read_json
from nas.training import FEWEST_SEEDS, Measured, delta_m, half_interval, metric_directions
from nas.tree import BranchTree, recovery


@dataclass(frozen=True)
class Result:
    """One tree of one unit.

    ``quality`` is delta_m, or minus the loss relative to the planted tree's; None if it has not been trained.
    ``loss_gain`` is the mean over the tasks of 100 log(loss alone / loss), None on planted problems.
    """

    cost: float
    quality: float | None
    ari: float | None
    exact: bool
    loss_gain: float | None = None


@dataclass(frozen=True)
class Judge:
    """Results of the trees of one unit, relative to its planted tree or to its single-task networks.

    Args:
        tests: test results by the trees' ids.
        references: the records of the planted tree, or of the single-task networks; all have been trained.
        separate: MACs of separate networks.
    """

    problem: Problem
    seed: int
    tests: Mapping[str, Measured]
    references: Sequence[Tree]
    separate: float

    def result(self, record: Tree) -> Result:
        """The result of a tree; its cost is a share of the planted tree's, or of separate networks'."""
        tree, macs, test = BranchTree.from_dict(record["tree"]), record["cost"]["macs"], self.tests.get(record["id"])
        if self.problem.planted is not None:
            (reference,) = self.references
            planted = BranchTree.from_dict(reference["tree"])
            loss = mean_test_loss(self.tests[reference["id"]])
            agreement = recovery(tree, planted)
            quality = None if test is None else -mean_test_loss(test) / loss
            return Result(macs / reference["cost"]["macs"], quality, agreement.ari, agreement.exact)
        if test is None:
            return Result(macs / self.separate, None, None, False)
        single = {one["label"]: self.tests[one["id"]][one["label"]] for one in self.references}
        quality = delta_m(test, single, metric_directions(self.problem.make(self.seed).tasks))
        return Result(macs / self.separate, quality, None, False, mean_loss_gain(test, single))


def judge_of(unit: Unit, trees: Sequence[Tree], separate: float) -> Judge | None:
    """The judge of a unit's trees; None if a reference has not been trained."""
    paths = {tree["id"]: unit.network(tree["id"]) for tree in trees}
    tests = {name: read_json(path)["test"] for name, path in paths.items() if path.is_file()}
    references = {tree["id"]: tree for tree in trees if tree["method"] in ("single", "planted")}
    if not references.keys() <= tests.keys():
        return None
    return Judge(unit.problem, unit.seed, tests, tuple(references.values()), separate)


def mean_loss_gain(test: Measured, single: Measured) -> float:
    """The mean over the tasks of 100 log(loss alone / loss): about by how many percent losses are lower."""
    return statistics.fmean(100 * math.log(float(single[t]["loss"]) / float(test[t]["loss"])) for t in single)


def interval(values: Sequence[float], level: float = 0.9) -> str:
    """Mean and half of the interval of the mean, by Student's t; empty if one has no value."""
    mean, half = statistics.fmean(values), half_interval(values, level)
    if math.isnan(mean):
        return ""
    return f"{mean:.2f}" if half is None else f"{mean:.2f} ± {half:.2f}"


def verdict(gaps: Sequence[float]) -> str:
    """What a paired difference shows, by the rule of `nas compare`."""
    half = half_interval(gaps)
    if half is None or len(gaps) < FEWEST_SEEDS:
        return " (too few seeds to conclude anything)"
    return " (95 % interval without 0)" if abs(statistics.fmean(gaps)) > half else " (no difference shown)"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row has the names of the columns."""
    head, *rest = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rest))
