"""Results as tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from nas.cli.amounts import format_quantity
from nas.cli.plain_table import SPACING, plain_table

if TYPE_CHECKING:
    from nas.commands.evaluate import Evaluation
    from nas.commands.profile import CostReport, NetworkCost
    from nas.deploy.latency import LatencyReport
    from nas.launch.jobs import Job, Package
    from nas.run import Front
    from nas.run.comparison import Comparison, Row
    from nas.run.curve_record import CurveRecord
    from nas.run.evidence import PairEvidence, Section
    from nas.strategies.transfer.gains import Gain


def front_table(front: Front) -> Group:
    """All trees of a front, cheapest first, below a gap the dominated ones; and what the columns mean.

    Estimates and measured qualities have a column each. With several trials there is a column with the trial that found
    the tree.
    """
    from nas.cost import RESOURCES

    points = sorted(front.points, key=lambda point: point.dominated)
    columns: dict[str, list[str]] = {"tree": [point.tree_id for point in points]}
    if len({point.trial for point in points}) > 1:
        columns["trial"] = ["pooled" if point.pooled else str(point.trial) for point in points]
    columns["budget"] = ["none" if point.budget is None else f"{point.budget:.4g}" for point in points]
    for name in points[0].cost:
        # The unit stands above its column, which leaves room for the others.
        unit = name if (known := RESOURCES.get(name)) is None else known.unit
        amounts = (format_quantity(point.cost[name], name) for point in points)
        columns[unit] = [amount.removesuffix(unit).rstrip() for amount in amounts]
    qualities = {
        "estimate": [point.estimated for point in points],
        "measured": [point.measured for point in points],
    }
    columns |= {name: [one.amount if one else "" for one in found] for name, found in qualities.items() if any(found)}
    if any(point.grade for point in points):
        columns["grade"] = [point.grade or "" for point in points]
    table = plain_table(*columns)
    # All columns together need 80 characters.
    table.show_edge = False
    num_best = sum(not point.dominated for point in points)
    for i, cells in enumerate(zip(*columns.values(), strict=True), start=1):
        table.add_row(*cells, end_section=i == num_best < len(points))
    notes = [
        f"{name}: {', '.join(dict.fromkeys(one.measure for one in found if one))}; higher is better"
        for name, found in qualities.items()
        if any(found)
    ]
    if "grade" in columns:
        notes.append("grade: chance to beat the second-best tree; certain from 95 %, likely from 75 %")
    if num_best < len(points):
        beaten = "beaten in cost and quality"
        pooled = any(point.pooled for point in points)
        notes.append(f"below the gap: {beaten}{', or of one seed of those pooled above' if pooled else ''}")
    return Group(table, "", *map(Text, notes))


def curve_table(curve: CurveRecord, separate: float) -> Table:
    """All trees of a curve, cheapest first; ``separate`` is the cost of separate networks."""
    table = plain_table("tree", curve.resource, "of separate", "value")
    for point in curve.points:
        cost = format_quantity(point.cost, curve.resource)
        table.add_row(point.tree, cost, _share(point.cost, separate), f"{point.value:.4f}")
    every = "all trees that no other beats" if curve.exact else "the best trees of a beam search"
    table.caption = f"curve: {every}, lower values are better; nas front RUN --budgets COST keeps one of them"
    return table


def blocks_table(pair: PairEvidence) -> Table:
    """What a source of evidence says about two tasks, block by block."""
    first, second = pair.tasks
    headings = {"first": f"{first} gains", "second": f"{second} gains"}
    table = plain_table(*(headings.get(name, name) for name in pair.rows[0]))
    for row in pair.rows:
        table.add_row(*map(_evidence, row.values()))
    table.caption = _PRICE
    return table


def pairs_table(section: Section) -> Table:
    """What a source of evidence says about each pair of tasks in one row."""
    summaries = [pair.summary for pair in section.pairs]
    table = plain_table("tasks", *summaries[0])
    for pair in section.pairs:
        table.add_row(", ".join(pair.tasks), *map(_evidence, pair.summary.values()))
    table.caption = section.caption + (f"; {_PRICE}" if "price" in summaries[0] else "")
    return table


def gains_table(gains: Mapping[str, Gain]) -> Table:
    """What each task of a tree gains over its single-task network, in percent of its loss."""
    table = plain_table("task", "against alone", "certainty", left=("certainty",))
    for task, gain in gains.items():
        table.add_row(task, str(gain), gain.certainty)
    return table


_PRICE = "price: cost of separating the tasks from this block on, as a share of separate networks"


def _evidence(value: str | bool | float | Gain | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else f"{value.amount}{_MARKS.get(value.certainty, '')}"


_MARKS = {"certain": "**", "likely": "*"}


def measured_table(measured: Mapping[str, Mapping[str, float]]) -> Table:
    """Losses and metrics by task."""
    table = plain_table("task", "loss", "metrics", left=("metrics",))
    for task, values in measured.items():
        table.add_row(task, _number(values["loss"]), _metrics(values))
    return table


def evaluation_table(evaluation: Evaluation) -> Table:
    """Losses, metrics, costs and, if known, gains over single-task networks; the last row is for all tasks."""
    gains = evaluation.relative
    # Without single-task networks, as in most runs, an empty column would look like a failure.
    columns = ("loss", "metrics", *(["against alone"] if gains else []), *evaluation.costs["all"])
    table = plain_table("task", *columns, left=("metrics",))
    for task, values in evaluation.measured.items():
        gain = [_number(gains[task], "+.2f", " %") if task in gains else ""] if gains else []
        table.add_row(task, _number(values["loss"]), _metrics(values), *gain, *_costs(evaluation.costs[task]))
    table.add_section()
    known = {task: gain for task, gain in gains.items() if math.isfinite(gain)}
    mean = [""] if gains else []
    if gains and set(gains) == set(evaluation.measured):
        mean = [_number(sum(known.values()) / len(known) if known else math.nan, "+.2f", " %")]
        if known and len(known) < len(gains):
            table.caption = f"against alone, all: the mean over {', '.join(known)}"
    table.add_row("all", "", "", *mean, *_costs(evaluation.costs["all"]))
    return table


def _metrics(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in values.items() if name != "loss")


def _number(value: float, form: str = ".4f", unit: str = "") -> str:
    """A number in a cell; NaN stands for an unknown value."""
    return f"{value:{form}}{unit}" if math.isfinite(value) else "no value"


def _costs(cost: Mapping[str, float]) -> list[str]:
    return [format_quantity(value, name) for name, value in cost.items()]


def cost_table(comparison: Comparison) -> Table:
    """One row per contender: what it costs, and its gain over single-task networks."""
    table = plain_table("network", "share", *comparison.rows[0].cost, "delta_m [%]")
    for row in comparison.rows:
        half = "" if row.half_interval is None else f" ± {row.half_interval:.2f}"
        costs = (format_quantity(value, name) for name, value in row.cost.items())
        table.add_row(_name(row), f"{row.share:.2f}", *costs, _number(row.delta_m, "+.2f", half))
    seeds = ", ".join(str(seed) for seed in comparison.seeds)
    table.caption = f"delta_m: measured on the test split, mean over seeds {seeds}; ± half the 95 % interval"
    tasks, every = comparison.tasks, list(comparison.rows[0].relative)
    if tasks is not None:
        over = "all tasks" if len(tasks) == len(every) else ", ".join(tasks) or "no task"
        table.caption += f"; delta_m is over {over}"
    return table


def metric_tables(comparison: Comparison, width: int) -> list[Table]:
    """Each task's main metric for every contender, in several tables if one would be wider than `width`."""
    first = comparison.rows[0].metrics
    main = [(task, next(name for name in values if name != "loss")) for task, values in first.items()]
    names = [_name(row) for row in comparison.rows]
    chunks: list[list[tuple[str, str]]] = []
    room = 0
    for task, metric in main:
        needed = SPACING + max(len(task), len(metric), len("0.0000"))
        if room < needed:
            chunks.append([])
            room = width - SPACING - max(map(len, names))
        chunks[-1].append((task, metric))
        room -= needed
    tables = []
    for chosen in chunks:
        table = plain_table("network", *(f"{task}\n{metric}" for task, metric in chosen))
        for name, row in zip(names, comparison.rows, strict=True):
            table.add_row(name, *(_number(row.metrics[task][metric]) for task, metric in chosen))
        tables.append(table)
    return tables


def _name(row: Row) -> str:
    """The label of a row; random trees are listed below the tree that they are compared with."""
    return {"found": f"found {row.name}", "random": "└ random trees"}.get(row.kind, row.name)


def profile_table(report: CostReport) -> Table:
    """Costs of parts and networks."""
    from nas.cost import RESOURCES

    counted = [name for name in RESOURCES if name in report.stem.amounts]
    headings = [RESOURCES[name].unit if RESOURCES[name].always else name for name in counted]
    table = plain_table("", *headings, "activations", "of separate")
    for name, cost in report.parts.items():
        table.add_row(name, *_amounts(cost, counted), "")
    table.add_section()
    for name, cost in report.networks.items():
        table.add_row(name, *_amounts(cost, counted), _share(cost.amounts["macs"], report.separate.amounts["macs"]))
    captions = []
    if report.unsupported:
        calls = [f"{name} ({n} call{'' if n == 1 else 's'})" for name, n in report.unsupported.items()]
        captions.append(f"without MACs and not counted: {', '.join(calls)}")
    if report.uncounted:
        captions.append(f"MACs are incomplete, because these cannot be counted: {', '.join(report.uncounted)}")
    table.caption = "\n".join(captions) or None
    return table


def latency_table(report: LatencyReport) -> Table:
    """Measured latencies of networks, and what MACs and the sum of parts predict, as shares of separate networks."""
    threads = "1 thread" if report.num_threads == 1 else f"{report.num_threads} threads"
    runtimes = list(report.networks["separate"].runtimes)
    table = plain_table("", "MACs", "sum of parts", *runtimes)
    for name, network in report.networks.items():
        parts = f"{_digits(network.parts_ms)} ms ({network.parts_error:+.1f} %)\n{network.parts_share:.0%}"
        cells = [
            f"{_digits(one.median)} ms ({_digits(one.low)} to {_digits(one.high)})\n"
            f"{_digits(one.throughput)}/s, {one.share:.0%}"
            for one in (network.runtimes[runtime] for runtime in runtimes)
        ]
        table.add_row(name, f"\n{network.macs_share:.0%}", parts, *cells)
    table.caption = (
        f"batch of {report.batch_size}, {report.device}, {threads}; "
        "median (tenth to ninetieth percentile); samples a second; shares of separate networks\n"
        f"sum of parts: {report.table}, and its error; mean error {report.parts_error:.1f} %"
    )
    return table


def _digits(value: float) -> str:
    """Three significant digits, or all digits before the point."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def jobs_table(jobs: Sequence[Job]) -> Table:
    """The jobs of a cluster."""
    table = plain_table("job", "status", "recipe", "time", "run", left=("status", "recipe", "run"))
    for job in jobs:
        time = "" if job.seconds is None else f"{job.seconds:.0f} s"
        table.add_row(job.name, job.status, job.recipe, time, job.run)
    return table


def bytes_in_words(amount: float) -> str:
    """``3.2 MiB``."""
    for unit in ("bytes", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:.4g} GiB"


def _share(amount: float, whole: float) -> str:
    return f"{amount / whole:.3f}" if whole else ""


def _amounts(cost: NetworkCost, counted: Sequence[str]) -> list[str]:
    amounts = [format_quantity(cost.amounts[name], name) for name in counted]
    return [*amounts, bytes_in_words(cost.activation_bytes)]


def package_lines(package: Package) -> list[str]:
    """The files that a job takes along, and what is left out."""
    sizes = [f"{bytes_in_words(size):>10}  {path}" for path, size in package.sizes.items()]
    return [*sizes, package_summary(package), *package.notes]


def package_summary(package: Package) -> str:
    return f"{len(package.files)} files, {bytes_in_words(package.num_bytes)}"
