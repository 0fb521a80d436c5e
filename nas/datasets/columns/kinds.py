"""What a column holds, its task, and the label of each cell."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from nas.datasets.columns.table import Cells, Table
from nas.errors import InputError, no_such
from nas.tasks import Task
from nas.tasks.task import is_reserved

Kind = Literal["classes", "yes_no", "number", "angle"]
"""What a column holds.

classes   names or whole numbers, each a class; cross entropy, accuracy
yes_no    0 and 1, yes and no, or true and false; binary cross entropy, ROC AUC and accuracy
number    a number; squared error, root mean square error, in the column's unit
angle     degrees, of a circle of 360; cosine and sine are predicted, with a squared error; never inferred
"""

Stated = str | Sequence[str] | None
"""What a target is said to hold: a `Kind` or "mask", the names of its classes, or None to infer it."""

KINDS: tuple[str, ...] = get_args(Kind)
MOST_NUMBER_CLASSES = 20
"""More different whole numbers than this are numbers, not classes."""
MOST_CLASSES = 1000
_LONGEST_NAME = 50
"""Longer names of columns are cut, which leaves room for what is put before or after them."""

_YES = {"1", "yes", "true", "y", "t", "1.0"}
_NO = {"0", "no", "false", "n", "f", "0.0"}


@dataclass(frozen=True)
class Column:
    """A column that is a task.

    Args:
        task: its task.
        labels: for each row its label, or None without one: classes are scalars, other labels [num_outputs].
    """

    task: Task
    labels: Sequence[Tensor | None]


def infer_kind(cells: Sequence[str | None]) -> Kind:
    """The kind of a column by its cells: see `Kind`; whole numbers of at most 20 different values are classes."""
    present = {cell for cell in cells if cell is not None}
    small = {cell.casefold() for cell in present}
    if small <= _YES | _NO and small & _YES and small & _NO:
        return "yes_no"
    numbers = [_number(cell) for cell in present]
    if not numbers or any(number is None for number in numbers):
        return "classes"
    whole = all(number is not None and number == int(number) for number in numbers)
    return "classes" if whole and len(present) <= MOST_NUMBER_CLASSES else "number"


def holds_names(cells: Cells) -> bool:
    """Whether a column of texts has so many different ones that they are names, not classes."""
    num_texts = len(set(cells) - {None})
    return num_texts > MOST_CLASSES or (num_texts > 1 and 2 * num_texts > _num_present(cells) > 10)


def _num_present(cells: Cells) -> int:
    return sum(cell is not None for cell in cells)


def column_of(table: Table, name: str, kind: Stated, train: Sequence[int]) -> Column:
    """A column as a task and labels.

    Args:
        name: of the column; the task's name is `task_name` of it.
        kind: a `Kind`, the names of the classes in the order of the outputs, or None to infer it.
        train: the training rows, of which a number's mean and deviation are taken.

    Raises:
        InputError: there is no such column, the kind does not exist or does not fit a cell, or the column is empty or
            has a single value.
    """
    cells = table.column(name)
    present = [row for row, cell in enumerate(cells) if cell is not None]
    if not present:
        raise InputError(f"{table.path}: column {name!r} has no values, so it cannot be a task; leave it out")
    if kind is None:
        kind = infer_kind(cells)
    if not isinstance(kind, str):
        return _classes(name, cells, table, list(kind))
    if kind not in KINDS:
        raise InputError(f"{table.path}: column {name!r}: {no_such('kind', kind, (*KINDS, 'mask'))}")
    if kind == "classes":
        return _classes(name, cells, table)
    if kind == "yes_no":
        return _yes_no(name, cells, table)
    numbers = [
        None if cell is None else _require_number(name, cell, table.place(row)) for row, cell in enumerate(cells)
    ]
    return _angle(name, numbers) if kind == "angle" else _numbers(name, numbers, train, table)


def stated_kinds(table: Table, targets: str | Sequence[str] | Mapping[str, Stated]) -> dict[str, Stated]:
    """By column that becomes a task, what it is said to hold.

    Raises:
        InputError: no column is named, one does not exist, or two would be tasks of one name.
    """
    if isinstance(targets, str):
        targets = [targets]
    kinds: dict[str, Stated] = dict(targets) if isinstance(targets, Mapping) else dict.fromkeys(targets)
    if not kinds:
        raise InputError(
            f"{table.path}: `targets` names no column that is to be a task; its columns are {', '.join(table.columns)}"
        )
    columns: dict[str, str] = {}
    for name in kinds:
        table.column(name)
        if (other := columns.setdefault(task_name(name), name)) != name:
            raise InputError(
                f"{table.path}: columns {other!r} and {name!r} would both be the task {task_name(name)!r}; rename one"
            )
    return kinds


def task_name(column: str, prefix: str = "task") -> str:
    """A column's name as the name of a task: letters, digits and underscores, 64 at most, beginning with a letter.

    ``prefix`` comes before names that do not begin with a letter, and "_task" after those that no task may have.

    >>> task_name("weight (g)"), task_name("5 o'clock"), task_name("type")
    ('weight_g', 'task_5_o_clock', 'type_task')
    """
    name = re.sub(r"[^A-Za-z0-9]+", "_", column).strip("_")[:_LONGEST_NAME]
    if not name[:1].isalpha():
        name = f"{prefix}_{name}"
    return f"{name}_task" if is_reserved(name) else name


def _classes(name: str, cells: Sequence[str | None], table: Table, stated: Sequence[str] = ()) -> Column:
    found = {cell for cell in cells if cell is not None}
    if stated and (unknown := sorted(found - set(stated))):
        row = list(cells).index(unknown[0])
        raise InputError(
            f"{table.place(row)}: column {name!r} is {unknown[0]!r}, which is none of its classes {', '.join(stated)}"
        )
    if len(found) == 1:
        raise InputError(f"{table.path}: column {name!r} has a single value, {next(iter(found))!r}; leave it out")
    if holds_names(cells):
        raise InputError(
            f"{table.path}: column {name!r} has {len(found)} different texts in {_num_present(cells)} cells, so they "
            "are names, not classes; leave it out"
        )
    classes = list(stated) or sorted(found, key=lambda cell: (_number(cell) is None, _number(cell) or 0.0, cell))
    index = {cell: torch.tensor(i) for i, cell in enumerate(classes)}
    task = Task(
        name=task_name(name),
        num_outputs=len(classes),
        loss="cross_entropy",
        metrics=("accuracy",),
        labels=tuple(classes),
        dense=False,
    )
    return Column(task, [None if cell is None else index[cell] for cell in cells])


def _yes_no(name: str, cells: Sequence[str | None], table: Table) -> Column:
    values: list[Tensor | None] = []
    for row, cell in enumerate(cells):
        small = None if cell is None else cell.casefold()
        if small is not None and small not in _YES | _NO:
            raise InputError(
                f"{table.place(row)}: column {name!r} is {cell!r}, neither yes nor no (1 or 0, true or false)"
            )
        values.append(None if small is None else torch.tensor([float(small in _YES)]))
    task = Task(
        name=task_name(name),
        num_outputs=1,
        loss="binary_cross_entropy",
        metrics=("roc_auc", "binary_accuracy"),
        dense=False,
    )
    return Column(task, values)


def _numbers(name: str, numbers: Sequence[float | None], train: Sequence[int], table: Table) -> Column:
    known = [number for row in train if (number := numbers[row]) is not None]
    if not known:
        raise InputError(f"{table.path}: column {name!r} has no value in the training rows; leave it out")
    mean = sum(known) / len(known)
    deviation = math.sqrt(sum((number - mean) ** 2 for number in known) / len(known))
    if not deviation > 1e-9 * max(1.0, abs(mean)):
        raise InputError(f"{table.path}: column {name!r} is {mean:g} in all training rows; leave it out")
    task = Task(
        name=task_name(name),
        num_outputs=1,
        loss="mse",
        metrics=("rmse", "mae"),
        dense=False,
        center=mean,
        scale=deviation,
        weight=1 / deviation**2,
    )
    return Column(task, [None if number is None else torch.tensor([number]) for number in numbers])


def _angle(name: str, degrees: Sequence[float | None]) -> Column:
    labels = [
        None if angle is None else torch.tensor([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
        for angle in degrees
    ]
    task = Task(
        name=task_name(name), num_outputs=2, loss="mse", metrics=("rmse",), labels=("cosine", "sine"), dense=False
    )
    return Column(task, labels)


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _require_number(name: str, cell: str, place: str) -> float:
    number = _number(cell)
    if number is None:
        raise InputError(f"{place}: column {name!r} is {cell!r}, not a finite number")
    return number
