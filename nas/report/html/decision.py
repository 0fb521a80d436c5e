"""How the decision came about: what a search recorded on its way."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from nas.cost import format_quantity
from nas.errors import InputError, explain
from nas.report.html.known import Known
from nas.report.html.plot import Scale, Tick, line, number, scale, ticks
from nas.run import TrialFolder
from nas.strategies.parents.record import FILE as PARENTS
from nas.strategies.proposals.record import read_record
from nas.strategies.transfer.record import TrainedTree
from nas.tree import BranchTree

MOST_FRAMES, MOST_NUMBERS = 60, 200_000
"""Most epochs of the heat map, and most of its probabilities over all of them."""
WIDTH, HEIGHT = 420, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 404, 14, 150


@dataclass(frozen=True)
class LinePlot:
    """A line over the epochs, and a level that it is compared with."""

    title: str
    path: str
    level: float | None
    level_name: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    top: int = _TOP
    bottom: int = _BOTTOM


@dataclass(frozen=True)
class Probabilities:
    """Probabilities in percent of each block's candidates or nodes; for each shown epoch [L, T, C_l] in one list.

    Args:
        kind: "candidate" or "node".
        num_candidates: of each block.
        starts: where each block begins in the list of an epoch.
    """

    kind: str
    tasks: list[str]
    blocks: list[str]
    num_candidates: list[int]
    starts: list[int]
    epochs: list[int]
    frames: list[list[int]]


@dataclass(frozen=True)
class LossLine:
    """A task's loss over the epochs: its first and last value, and a small line."""

    task: str
    first: str
    last: str
    path: str


@dataclass(frozen=True)
class Training:
    """A tree that the search trained, and what each task reached more than in separate networks trained as long."""

    tree: str
    letter: str
    num_epochs: int
    mean: str
    gains: list[str]


@dataclass(frozen=True)
class Trainings:
    """The trainings of a measured search; ``cost`` is in full trainings of one network."""

    tasks: list[str]
    rows: list[Training]
    cost: str
    full_epochs: int


@dataclass(frozen=True)
class Decision:
    """Everything that is known; most parts are missing for most strategies."""

    strategy: str
    probabilities: Probabilities | None
    plots: list[LinePlot]
    losses: list[LossLine]
    trainings: Trainings | None


class _Epoch(BaseModel):
    """The fields of an epoch of a gradient search that are shown."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    epoch: int
    entropy: tuple[FiniteFloat, ...] = Field(min_length=1)
    expected_cost: FiniteFloat
    budget: FiniteFloat | None = None
    probabilities: tuple[tuple[tuple[FiniteFloat, ...], ...], ...] | None = None


def decision(known: Known) -> Decision:
    """What the search of the recommended tree recorded; InputError if its records are malformed."""
    history = known.trial.history
    epochs = _gradient_epochs(known.trial, history)
    strategy = known.run.record["experiment"].get("strategy")
    name = strategy.get("type", "") if isinstance(strategy, dict) else strategy
    return Decision(
        str(name or "").rpartition(".")[2],
        _probabilities(known, epochs),
        _plots(known, epochs),
        _losses(history),
        _trainings(known),
    )


def _gradient_epochs(trial: TrialFolder, history: Sequence[Mapping[str, Any]]) -> list[_Epoch]:
    try:
        return [_Epoch.model_validate(record) for record in history if "entropy" in record]
    except ValidationError as error:
        raise InputError(f"{trial.metrics}: not the epochs of a search ({explain(error)})") from error


def _probabilities(known: Known, epochs: Sequence[_Epoch]) -> Probabilities | None:
    shown = [(one.epoch + 1, one.probabilities) for one in epochs if one.probabilities is not None]
    if not shown:
        return None
    tasks, blocks = list(known.table.heads), list(known.table.block_names)
    widths = [len(rows[0]) if rows else 0 for rows in shown[0][1]]
    for _, block in shown:
        if len(block) != len(blocks) or any(
            [len(choice) for choice in rows] != [width] * len(tasks) for rows, width in zip(block, widths, strict=False)
        ):
            raise InputError(f"{known.trial.metrics}: its probabilities are not those of its blocks and tasks")
    starts = [0, *accumulate(width * len(tasks) for width in widths)]
    most = max(2, min(MOST_FRAMES, MOST_NUMBERS // max(1, starts[-1])))
    # The last epoch is always among them.
    chosen = (
        sorted({round(i * (len(shown) - 1) / (most - 1)) for i in range(most)})
        if len(shown) > most
        else range(len(shown))
    )
    frames = [[round(100 * p) for row in shown[i][1] for choice in row for p in choice] for i in chosen]
    kind = "node" if (known.trial.path / PARENTS).is_file() else "candidate"
    return Probabilities(kind, tasks, blocks, widths, starts[:-1], [shown[i][0] for i in chosen], frames)


def _plots(known: Known, epochs: Sequence[_Epoch]) -> list[LinePlot]:
    if len(epochs) < 2:
        return []
    x = Scale(epochs[0].epoch + 1, epochs[-1].epoch + 1, _LEFT, _RIGHT)
    entropy = [(one.epoch + 1, sum(one.entropy) / len(one.entropy)) for one in epochs]
    costs = [(one.epoch + 1, one.expected_cost) for one in epochs]
    budget = epochs[-1].budget
    levels = [] if budget is None else [budget]
    y = scale([value for _, value in costs] + levels, _BOTTOM, _TOP)
    cost_ticks = [Tick(y(value), format_quantity(value, known.resource)) for value in ticks(y.low, y.high, 4)]
    return [
        _line_plot("entropy of the choices: 1 is undecided, 0 decided", x, Scale(0, 1, _BOTTOM, _TOP), entropy),
        _line_plot("expected cost of a random tree", x, y, costs, budget, "largest budget", cost_ticks),
    ]


def _line_plot(
    title: str,
    x: Scale,
    y: Scale,
    values: Sequence[tuple[int, float]],
    level: float | None = None,
    level_name: str = "",
    y_ticks: list[Tick] | None = None,
) -> LinePlot:
    epochs = [value for value in ticks(x.low, x.high, 6) if value == int(value)]
    points = [(x(epoch), y(value)) for epoch, value in values]
    own = [Tick(y(value), number(value)) for value in ticks(y.low, y.high, 5)]
    return LinePlot(
        title,
        line(points),
        None if level is None else y(level),
        level_name,
        [Tick(x(value), number(value)) for value in epochs],
        own if y_ticks is None else y_ticks,
    )


def _losses(history: Sequence[Mapping[str, Any]]) -> list[LossLine]:
    """The training losses by task, where the epochs have them (own copies, supernets, shared networks)."""
    series: dict[str, list[float]] = {}
    for record in history:
        weights = record.get("weights")
        tasks = weights.get("tasks") if isinstance(weights, dict) else None
        for task, loss in tasks.items() if isinstance(tasks, dict) else ():
            if isinstance(loss, int | float) and math.isfinite(loss):
                series.setdefault(task, []).append(float(loss))
    return [_loss_line(task, losses) for task, losses in series.items() if len(losses) > 1]


def _loss_line(task: str, losses: Sequence[float]) -> LossLine:
    x, y = Scale(0, len(losses) - 1, 2, 158), scale(losses, 30, 4, margin=0)
    path = line([(x(i), y(loss)) for i, loss in enumerate(losses)])
    return LossLine(task, f"{losses[0]:.3g}", f"{losses[-1]:.3g}", path)


def _trainings(known: Known) -> Trainings | None:
    if known.transfer is not None:
        record = known.transfer
        return _table(known, record.tasks, len(record.blocks), record.trainings, record.cost, record.full_epochs)
    if (known.trial.path / "proposals.json").is_file():
        found = read_record(known.trial.path)
        return _table(known, found.tasks, len(found.blocks), found.trainings, found.cost, found.full_epochs)
    return None


def _table(
    known: Known, tasks: Sequence[str], num_blocks: int, rows: Sequence[TrainedTree], cost: float, full_epochs: int
) -> Trainings:
    separate = BranchTree.separate(tasks, num_blocks)
    alone = {row.num_epochs: row.results for row in rows if set(row.results) == set(tasks) and row.tree == separate}
    shown = []
    for row in rows:
        reference = alone.get(row.num_epochs, {})
        gains = [
            row.results[task] - reference[task] if task in row.results and task in reference else math.nan
            for task in tasks
        ]
        mean = sum(gains) / len(gains)
        name = row.tree.id
        letter = known.letters.get(name, "")
        if row.tree == separate:
            letter = "separate networks"
        elif row.tree == BranchTree.shared(tasks, num_blocks):
            letter = f"{letter}, all shared".removeprefix(", ")
        shown.append(Training(name, letter, row.num_epochs, _percent(mean), list(map(_percent, gains))))
    return Trainings(list(tasks), shown, f"{cost:.3g}", full_epochs)


def _percent(value: float) -> str:
    return f"{value:+.1f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else ""
