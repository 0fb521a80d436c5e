"""The result of a comparison: delta_m over seeds, metrics and costs of each network, as rows, JSON, CSV and words."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter, ValidationError

from nas.display import Displayed
from nas.errors import InputError, explain
from nas.files import make_folder, read_json, without_nan, write_json_atomically, write_text_atomically
from nas.run.trained_network import TrainedNetwork
from nas.training import FEWEST_SEEDS, Directions, Value, comparable, delta_m, half_interval
from nas.tree import BranchTree, CostTable

if TYPE_CHECKING:
    from nas.recipe import Experiment

Kind = Literal["single", "shared", "found", "random"]


@dataclass(frozen=True)
class Contender:
    """A tree to train. ``name`` is a task, the id of a found tree, or the id that a random tree is compared with."""

    kind: Kind
    name: str
    tree: BranchTree


@dataclass(frozen=True)
class Row:
    """One line of the table; values are means over ``num_trainings`` trainings.

    Args:
        cost: by resource; ``share`` is the share of what separate networks cost.
        delta_m: mean gain over single-task networks in percent, over `Comparison.tasks`; NaN if it is unknown.
        spread: sample standard deviation of delta_m over the trainings; None for fewer than two.
        metrics: by task and metric, on the test split.
        by_seed: delta_m for each seed, averaged over trees.
        relative: the same for each task.
    """

    name: str
    kind: str
    cost: Mapping[str, float]
    share: float
    delta_m: Value
    spread: float | None
    num_trainings: int
    metrics: Mapping[str, Mapping[str, Value]]
    by_seed: Sequence[Value]
    relative: Mapping[str, Sequence[Value]] = field(default_factory=dict)

    @property
    def half_interval(self) -> float | None:
        """Half the 95 % interval of delta_m over the seeds; None for fewer than two, and for the single tasks."""
        return None if self.kind == "single" else half_interval(self.by_seed)


@dataclass(frozen=True, repr=False)
class Comparison(Displayed):
    """All rows, single-task networks first, and conclusions from them in words.

    delta_m is the mean over ``tasks`` in every row (`nas.training.comparable`); None stands for all tasks.
    """

    resource: str
    seeds: Sequence[int]
    rows: Sequence[Row]
    verdicts: Sequence[str] = field(default_factory=tuple)
    tasks: Sequence[str] | None = None

    def summary(self) -> str:
        gains = [f"{row.name} {row.delta_m:+.2f} %" for row in self.rows if row.kind in ("shared", "found")]
        return f"{len(self.seeds)} seeds, delta_m: {', '.join(gains)}"

    def records(self) -> list[dict[str, Any]]:
        """A line for each row, with a column for each task's mean gain, in percent."""
        return [
            {
                "name": row.name,
                "kind": row.kind,
                **row.cost,
                "share": row.share,
                "delta_m": row.delta_m,
                "half_interval": row.half_interval,
                "num_trainings": row.num_trainings,
                **{task: statistics.fmean(gains) for task, gains in row.relative.items()},
            }
            for row in self.rows
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "resource": self.resource,
            "seeds": list(self.seeds),
            "rows": [without_nan(row.__dict__) for row in self.rows],
            "verdicts": list(self.verdicts),
            "tasks": None if self.tasks is None else list(self.tasks),
        }

    @classmethod
    def read(cls, folder: Path) -> Comparison:
        """Read what `write` wrote; InputError if it is missing or malformed."""
        path = folder / "results.json"
        record = read_json(path)
        if isinstance(record, dict) and record.get("schema_version") == 1:
            record = {name: value for name, value in record.items() if name != "schema_version"}
        try:
            return TypeAdapter(cls).validate_python(record)
        except ValidationError as error:
            raise InputError(f"{path}: not the result of a comparison ({explain(error)})") from error

    def to_csv(self) -> str:
        """One line per row, a column per resource, task and metric; the cell of an unknown value is empty."""
        metrics = [(task, metric) for task, values in self.rows[0].metrics.items() for metric in values]
        resources = list(self.rows[0].cost)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(
            ["name", "kind", *resources, "share", "delta_m", "spread", "num_trainings"]
            + [f"{task}.{metric}" for task, metric in metrics]
        )
        for row in self.rows:
            spread = "" if row.spread is None else row.spread
            writer.writerow(
                [
                    *(row.name, row.kind, *(row.cost[name] for name in resources)),
                    *(row.share, _cell(row.delta_m), spread, row.num_trainings),
                    *(_cell(row.metrics[task][metric]) for task, metric in metrics),
                ]
            )
        return text.getvalue()

    def write(self, folder: Path) -> None:
        make_folder(folder)
        write_json_atomically(folder / "results.json", self.to_dict())
        write_text_atomically(folder / "table.csv", self.to_csv())


def judge(
    experiment: Experiment,
    table: CostTable,
    contenders: Sequence[Contender],
    results: Mapping[tuple[str, int], TrainedNetwork],
) -> Comparison:
    """Turn trained networks into rows; each network is compared with the single-task networks of the same seed.

    A gain is unknown if no metric of the task has a value on the test split, or if the single-task network's value is
    0. A task whose gain is unknown for some network is NaN in ``relative`` and left out of every delta_m.
    """
    from nas.training import metric_directions  # which loads torch

    seeds, resource = experiment.compare.seeds, experiment.goal.resource
    singles = {contender.name: contender.tree for contender in contenders if contender.kind == "single"}
    reference = {seed: {task: results[tree.id, seed].test[task] for task, tree in singles.items()} for seed in seeds}
    separate = table.separate_cost()
    judged = comparable(
        metric_directions(experiment.tasks), list(reference.values()), [network.test for network in results.values()]
    )

    def per_seed(trained: Sequence[tuple[TrainedNetwork, int]], chosen: Directions) -> list[list[float]]:
        """delta_m over some tasks: a list over the trees for each seed."""
        return [
            [delta_m(network.test, reference[seed], chosen) for network, s in trained if s == seed] for seed in seeds
        ]

    def row(name: str, kind: Kind, trees: Sequence[BranchTree]) -> Row:
        trained = [(results[tree.id, seed], seed) for tree in trees for seed in seeds]
        by_seed = per_seed(trained, judged)
        deltas = [delta for of_seed in by_seed for delta in of_seed]
        costs = [table.tree_cost(tree) for tree in trees]
        cost = {key: statistics.fmean(cost[key] for cost in costs) for key in costs[0]}
        return Row(
            name,
            kind,
            cost,
            cost[resource] / separate[resource],
            statistics.fmean(deltas),
            _spread(deltas),
            len(deltas),
            _mean_metrics([network.test for network, _ in trained]),
            [statistics.fmean(of_seed) for of_seed in by_seed],
            {
                task: [statistics.fmean(of_seed) for of_seed in per_seed(trained, {task: judged.get(task, {})})]
                for task in experiment.task_names
            },
        )

    rows = [
        Row(
            "single tasks",
            "single",
            separate,
            1.0,
            0.0 if judged else math.nan,
            None,
            len(seeds),
            _mean_metrics(list(reference.values())),
            [0.0 if judged else math.nan] * len(seeds),
            {task: [0.0 if task in judged else math.nan] * len(seeds) for task in experiment.task_names},
        )
    ]
    for contender in contenders:
        if contender.kind in ("shared", "found"):
            rows.append(row(contender.name, contender.kind, [contender.tree]))
        if contender.kind == "found":
            beside = [other.tree for other in contenders if other.kind == "random" and other.name == contender.name]
            if beside:
                rows.append(row(random_beside(contender.name), "random", beside))
    left_out = [task for task in experiment.task_names if task not in judged]
    return Comparison(resource, seeds, rows, (*_verdicts(rows), *map(_without_gain, left_out)), tuple(judged))


def random_beside(tree_id: str) -> str:
    """Name of the row of the random trees that cost at most what a found tree costs."""
    return f"random beside {tree_id}"


def _mean_metrics(measured: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        task: {metric: statistics.fmean(m[task][metric] for m in measured) for metric in values}
        for task, values in measured[0].items()
    }


def _cell(value: float) -> float | str:
    return value if math.isfinite(value) else ""


def _without_gain(task: str) -> str:
    return (
        f"{task} is left out of delta_m: on the test split its single-task network has the value 0, or some "
        "network has no value"
    )


def _spread(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else None


def _verdicts(rows: Sequence[Row]) -> list[str]:
    """Conclusions in words; a difference counts if its interval over at least three seeds does not contain 0."""
    shared = next(row for row in rows if row.kind == "shared")
    found = [row for row in rows if row.kind == "found"]
    if not math.isfinite(shared.delta_m):
        return ["no gain over single-task networks is known, so no tree is better than another"]
    verdicts = []
    for tree in found:
        random = next((row for row in rows if row.name == random_beside(tree.name)), None)
        verdicts += [_verdict(tree, other) for other in (shared, random) if other is not None]
    if found and len(shared.by_seed) >= FEWEST_SEEDS and not any(_is_better(tree, shared) for tree in found):
        verdicts.append("no tree found is shown to be better than the fully shared tree, which is the cheapest of all")
    return verdicts


def _differences(tree: Row, other: Row) -> list[float]:
    """By seed: both rows refer to the same single-task networks, whose noise cancels."""
    return [ours - theirs for ours, theirs in zip(tree.by_seed, other.by_seed, strict=True)]


def _is_better(tree: Row, other: Row) -> bool:
    differences = _differences(tree, other)
    half = half_interval(differences)
    return half is not None and statistics.fmean(differences) > half


def _verdict(tree: Row, other: Row) -> str:
    differences = _differences(tree, other)
    mean, half = statistics.fmean(differences), half_interval(differences)
    text = f"{tree.name} against {other.name}: {mean:+.2f} points of delta_m"
    if half is None or len(differences) < FEWEST_SEEDS:
        seeds = "one seed" if len(differences) == 1 else f"{len(differences)} seeds"
        return f"{text}, from {seeds}: too few to conclude anything"
    text += f" (95 % interval {mean - half:+.2f} to {mean + half:+.2f}, paired by seed)"
    return text if abs(mean) > half else f"{text}: no difference shown"
