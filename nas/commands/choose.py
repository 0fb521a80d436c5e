"""The best tree within a budget in which no task is much worse than with a network of its own."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import ValidationError

from nas.commands.estimated_choice import EstimatedChoice, estimated_choices, has_estimates
from nas.cost import RESOURCES, format_quantity, resolve_budget
from nas.cost.resources import MS
from nas.discretize import Constraints
from nas.display import Displayed
from nas.errors import InputError
from nas.files import without_nan
from nas.run import RunFolder
from nas.run.comparison import Comparison, Row
from nas.run.costs import read_costs
from nas.tree import BranchTree, CostTable


@dataclass(frozen=True, repr=False)
class Choice(Displayed):
    """A tree that a comparison has measured.

    Args:
        name: the tree's id, or "shared".
        tree: the tree, with its cost.
        delta_m: mean gain over single-task networks, in percent.
        spread: sample standard deviation of delta_m over ``num_trainings`` trainings.
        half_interval: half the 95 % interval of delta_m over the seeds; None for fewer than two.
        relative: the gain of each task, mean over the seeds, in percent.
        resource: the resource that `cost` counts.
    """

    name: str
    tree: BranchTree
    delta_m: float
    spread: float | None
    half_interval: float | None
    num_trainings: int
    relative: Mapping[str, float]
    resource: str
    kind: ClassVar[str] = "measured"

    @property
    def cost(self) -> float:
        return (self.tree.cost or {})[self.resource]

    @property
    def worst_task(self) -> str | None:
        """The task with the smallest known gain over its single-task network; None if no gain is known."""
        gains = {task: gain for task, gain in self.relative.items() if math.isfinite(gain)}
        return min(gains, key=gains.__getitem__, default=None)

    @property
    def pictured(self) -> BranchTree:
        return self.tree

    def summary(self) -> str:
        return self.describe()

    def records(self) -> list[dict[str, Any]]:
        """What each task gains over its single-task network, in percent."""
        return [{"task": task, "gain": gain} for task, gain in self.relative.items()]

    def describe(self) -> str:
        """The choice, its cost and its gains in one line."""
        half = "" if self.half_interval is None else f" ± {self.half_interval:.2f}"
        name = "the fully shared tree" if self.name == "shared" else f"tree {self.name}"
        trainings = "1 training" if self.num_trainings == 1 else f"{self.num_trainings} trainings"
        if self.worst_task is None:
            return f"{name}: {format_quantity(self.cost, self.resource)}, delta_m has no value over {trainings}"
        gain = f"measured delta_m {self.delta_m:+.2f}{half} % over {trainings}"
        worst = f"worst task {self.worst_task} {self.relative[self.worst_task]:+.2f} %"
        without = [task for task, gain in self.relative.items() if not math.isfinite(gain)]
        also = f"; no gain is known for {', '.join(without)}" if without else ""
        return f"{name}: {format_quantity(self.cost, self.resource)}, {gain}, {worst}{also}"

    def to_dict(self) -> dict[str, Any]:
        record: dict[str, Any] = without_nan({**self.__dict__, "tree": self.tree.to_dict()})
        return record


_Choice = TypeVar("_Choice", Choice, EstimatedChoice)


def choose(
    run: str | Path,
    *,
    within: float | None = None,
    worst: float | None = None,
    resource: str | None = None,
    latency: str | Path | None = None,
) -> Choice | EstimatedChoice:
    """The tree with the highest delta_m among those that `nas compare` has measured and that meet two conditions.

    Candidates are the non-dominated trees of the front, and the fully shared tree unless the run's constraints forbid
    it. In a run of a measured search without a comparison, the search's own estimates of what each task gains count
    instead, and all trees of the front are candidates. The recipe is not imported.

    Args:
        run: a run folder.
        within: the largest cost allowed: a share in (0, 1] of the cost of separate networks, or an absolute amount.
        worst: how many percent worse than its single-task network a task may be, on the mean over the seeds or by the
            posterior mean. A task whose gain is unknown (`nas.training.comparable`) is ignored.
        resource: what ``within`` counts; if left out, milliseconds where there is a latency table, or the run's own.
        latency: a latency table of the run's backbone on some device (``nas profile RECIPE --latency FILE``), for costs
            in milliseconds ("ms") where the search counted another resource.

    Raises:
        InputError: nothing is measured yet, or no tree meets the conditions; the message names the closest tree.
    """
    if worst is not None and not (math.isfinite(worst) and worst >= 0):
        raise InputError(
            f"`worst` is how many percent a task may be worse than its single-task network, 0 or more; found {worst}"
        )
    folder = RunFolder.open(Path(run))
    compared = (folder.path / "compare" / "results.json").is_file()
    if not compared and not has_estimates(folder):
        raise InputError(
            f"{folder.path}: no tree has been compared with single-task networks yet; run: nas compare {folder.path}"
        )
    comparison = Comparison.read(folder.path / "compare") if compared else None
    table = read_costs(folder, latency=latency)
    if table is None:
        raise InputError(
            f"{folder.path}: none of its trials has a costs.json; finish the search: "
            f"nas search RECIPE --out {folder.path} --resume"
        )
    own = folder.front.resource if comparison is None else comparison.resource
    counted = resource if resource is not None else own if latency is None else MS.name
    if counted in RESOURCES and counted not in table.resources:
        how = (
            "for milliseconds measure a latency table with nas profile RECIPE --latency FILE, and name it with "
            "`latency=FILE`"
            if RESOURCES[counted].needs_latency
            else f"a run has {counted} in them if its goal.resource is {counted}"
        )
        raise InputError(f"{folder.path}: its costs are in {', '.join(table.resources)}; {how}")
    limit = math.inf if within is None else resolve_budget(within, table, counted)
    least = -math.inf if worst is None else -worst
    if comparison is not None:
        return _best(_measured(folder, comparison, table, counted), limit, least, f"{folder.path}")
    shared = None if _constraints(folder).apart else BranchTree.shared(tuple(table.heads), len(table.blocks))
    return _best(estimated_choices(folder, table, counted, worst, shared), limit, least, f"{folder.path}")


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
            f"{folder.path}: its comparison has no results by task; run nas compare again, which repeats no training"
        )
    return [
        Choice(
            row.name,
            tree.with_cost(table),
            row.delta_m,
            row.spread,
            row.half_interval,
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
        raise InputError(f"{folder.path / 'experiment.json'}: the field goal.constraints is malformed") from error


def _best(candidates: Sequence[_Choice], limit: float, least: float, where: str) -> _Choice:
    def lowest(choice: _Choice) -> float:
        return math.inf if choice.worst_task is None else choice.relative[choice.worst_task]

    affordable = [choice for choice in candidates if choice.cost <= limit]
    if fitting := [choice for choice in affordable if lowest(choice) >= least]:
        # Without any known gain, the cheapest tree is the best.
        return max(fitting, key=lambda choice: (choice.delta_m if choice.worst_task else 0.0, -choice.cost))
    if not candidates:
        raise InputError(f"{where}: its comparison contains no tree that the constraints of the search allow")
    kind = candidates[0].kind
    if not affordable:
        cheapest = min(candidates, key=lambda choice: choice.cost)
        raise InputError(
            f"{where}: no {kind} tree costs at most {format_quantity(limit, cheapest.resource)}; the cheapest is "
            f"{cheapest.describe()}"
        )
    closest = max(affordable, key=lowest)
    dearer = [choice for choice in candidates if choice.cost > limit and lowest(choice) >= least]
    beyond = f"; beyond the budget there is {min(dearer, key=lambda c: c.cost).describe()}" if dearer else ""
    raise InputError(
        f"{where}: no {kind} tree within the budget has every task at {least:g} % or better; the closest is "
        f"{closest.describe()}{beyond}"
    )
