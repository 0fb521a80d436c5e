"""The best measured tree within a budget, with no task much worse than alone."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nas.commands.comparison import Comparison, Row
from nas.commands.show import read_costs
from nas.cost import resolve_budget
from nas.discretize import Constraints
from nas.errors import InputError
from nas.experiment import RunFolder
from nas.tree import BranchTree, CostTable, format_quantity


@dataclass(frozen=True)
class Choice:
    """A tree that a comparison has measured.

    Args:
        name: its id, or "shared".
        tree: with its cost.
        delta_m: relative performance against single-task networks, in percent; ``spread`` over ``num_trainings``.
        relative: the same of each task alone, mean over the seeds.
        resource: what the run counts, or was asked for.
    """

    name: str
    tree: BranchTree
    delta_m: float
    spread: float | None
    num_trainings: int
    relative: Mapping[str, float]
    resource: str

    @property
    def cost(self) -> float:
        return (self.tree.cost or {})[self.resource]

    @property
    def worst_task(self) -> str:
        return min(self.relative, key=self.relative.__getitem__)

    def describe(self) -> str:
        """The choice in one line."""
        spread = "" if self.spread is None else f" ± {self.spread:.2f}"
        name = "the fully shared tree" if self.name == "shared" else f"tree {self.name}"
        trainings = "1 training" if self.num_trainings == 1 else f"{self.num_trainings} trainings"
        gain = f"delta_m {self.delta_m:+.2f}{spread} % over {trainings}"
        worst = f"worst task {self.worst_task} {self.relative[self.worst_task]:+.2f} %"
        return f"{name}: {format_quantity(self.cost, self.resource)}, {gain}, {worst}"

    def to_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "tree": self.tree.to_dict(), "relative": dict(self.relative)}


def choose(
    run: str | Path, *, within: float | None = None, worst: float | None = None, resource: str | None = None
) -> Choice:
    """Of the trees that `nas compare` has measured, the one of highest delta_m that keeps two conditions.

    The trees are those found (of the front, and not dominated) and the fully shared one, unless the run's constraints
    forbid it. Runs no code of the run.

    Args:
        run: a run folder.
        within: what the tree may cost: a share in (0, 1] of the cost of separate networks, or an absolute amount.
        worst: how many percent worse than its single-task network any task may be, on the mean over the seeds.
        resource: what ``within`` counts; the run's own if left out.

    Raises:
        InputError: nothing is measured yet, or nothing keeps the conditions: what comes closest, and why, is named.
    """
    if worst is not None and not (math.isfinite(worst) and worst >= 0):
        raise InputError(f"--worst is how many percent a task may be worse than alone, 0 or more; found {worst}")
    folder = RunFolder.open(Path(run))
    if not (folder.path / "compare" / "results.json").is_file():
        raise InputError(f"{folder.path}: no tree is measured against single tasks yet; run: nas compare {folder.path}")
    comparison, table = Comparison.read(folder.path / "compare"), read_costs(folder)
    if table is None:
        raise InputError(f"{folder.path}: has no costs.json of any trial")
    counted = comparison.resource if resource is None else resource
    limit = math.inf if within is None else resolve_budget(within, table, counted)
    measured = _measured(folder, comparison, table, counted)
    return _best(measured, limit, -math.inf if worst is None else -worst, f"{folder.path}")


def _measured(folder: RunFolder, comparison: Comparison, table: CostTable, resource: str) -> list[Choice]:
    """Every tree of a comparison that can be chosen."""
    rows: list[tuple[Row, BranchTree]] = []
    for row in comparison.rows:
        if row.kind == "found":
            rows.append((row, folder.find_tree(row.name)))
        elif row.kind == "shared" and not _constraints(folder).apart:
            rows.append((row, BranchTree.shared(tuple(table.heads), len(table.blocks))))
    if any(not row.relative for row, _ in rows):
        raise InputError(
            f"{folder.path}: its comparison has no results by task; run nas compare again, which trains nothing twice"
        )
    return [
        Choice(
            row.name,
            tree.with_cost(table),
            row.delta_m,
            row.spread,
            row.num_trainings,
            {task: statistics.fmean(values) for task, values in row.relative.items()},
            resource,
        )
        for row, tree in rows
    ]


def _constraints(folder: RunFolder) -> Constraints:
    goal = folder.record["experiment"].get("goal")
    try:
        return Constraints.model_validate((goal or {}).get("constraints") or {})
    except (AttributeError, ValidationError) as error:
        raise InputError(f"{folder.path / 'experiment.json'}: its goal.constraints are malformed") from error


def _best(measured: Sequence[Choice], limit: float, least: float, where: str) -> Choice:
    def lowest(choice: Choice) -> float:
        return choice.relative[choice.worst_task]

    affordable = [choice for choice in measured if choice.cost <= limit]
    if fitting := [choice for choice in affordable if lowest(choice) >= least]:
        return max(fitting, key=lambda choice: (choice.delta_m, -choice.cost))
    if not measured:
        raise InputError(f"{where}: its comparison has no tree to choose")
    if not affordable:
        cheapest = min(measured, key=lambda choice: choice.cost)
        raise InputError(
            f"{where}: no measured tree costs at most {format_quantity(limit, cheapest.resource)}; the cheapest is "
            f"{cheapest.describe()}"
        )
    closest = max(affordable, key=lowest)
    dearer = [choice for choice in measured if choice.cost > limit and lowest(choice) >= least]
    beyond = f"; beyond the budget there is {min(dearer, key=lambda c: c.cost).describe()}" if dearer else ""
    raise InputError(
        f"{where}: no measured tree within the budget has every task at {least:g} % or better; the closest is "
        f"{closest.describe()}{beyond}"
    )
