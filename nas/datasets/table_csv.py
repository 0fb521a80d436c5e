"""A table (CSV or parquet): some columns are inputs, those that you name become tasks.

Number columns are standardised with the training rows' mean and deviation; a column with empty cells gets a second
input that says whether the cell is empty. Columns of text become one input per text that occurs in the training rows.

    Experiment(
        data=lazy(TableCsv, folder="houses", targets=["price", "sold"]),
        backbone=lazy(MLP, num_features=37),
    )

`nas check` shows what was inferred of each target, and the number of inputs is ``TableCsv(...).num_features``.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from nas.data.batch import SplitName, find_split
from nas.data.tensors import MaskedTensors
from nas.datasets.columns import Stated, Table, column_of, find_table, read_table, split_rows, stated_kinds
from nas.errors import InputError
from nas.tasks import Task

_MOST_TEXTS = 100
"""A text column with more different texts in the training rows is refused: they would be names."""


class TableCsv:
    """A data source of rows: inputs are float [num_features], in the order of ``feature_names``.

    Args:
        folder: holds the table.
        targets: the columns that become tasks; a mapping may state what each holds: a `nas.datasets.columns.Kind`, the
            names of the classes, or None to infer it.
        inputs: the columns that are inputs; by default all others.
        table: name of the table; by default the only *.csv, *.tsv or *.parquet in the folder.
        split: a column that says train, validation or test; by default rows are divided at random.
        group: a column whose equal cells stay in one split. Neither it nor ``split`` is an input.
        seed: of the random division.

    Raises:
        InputError: a file, column or cell is missing or not of the stated kind, an input column holds names, or a
            split would be empty.
    """

    def __init__(
        self,
        folder: str | Path,
        targets: Sequence[str] | Mapping[str, Stated],
        *,
        inputs: Sequence[str] | None = None,
        table: str | None = None,
        split: str | None = None,
        group: str | None = None,
        seed: int = 0,
    ) -> None:
        read = read_table(find_table(Path(folder).expanduser(), table))
        kinds = stated_kinds(read, targets)
        rows = split_rows(read, split=split, group=group, seed=seed)
        columns = [column_of(read, name, kind, rows["train"]) for name, kind in kinds.items()]
        self.tasks: tuple[Task, ...] = tuple(column.task for column in columns)
        others = [name for name in read.columns if name not in (*kinds, split, group)]
        chosen = others if inputs is None else list(inputs)
        if not chosen or set(chosen) & set(kinds):
            raise InputError(f"{read.path}: `inputs` must name columns that are not targets; found {chosen}")
        features = {name: part for column in chosen for name, part in _features(read, column, rows["train"]).items()}
        self.feature_names = tuple(features)
        inputs_NF = torch.stack(list(features.values()), dim=1)
        labels = {}
        present = {}
        for column in columns:
            filled = next(label for label in column.labels if label is not None)
            labels[column.task.name] = torch.stack(
                [torch.zeros_like(filled) if one is None else one for one in column.labels]
            )
            present[column.task.name] = torch.tensor([one is not None for one in column.labels])
        self._splits: dict[SplitName, MaskedTensors] = {
            name: MaskedTensors(
                inputs_NF[list(found)],
                {task: label[list(found)] for task, label in labels.items()},
                {task: known[list(found)] for task, known in present.items()},
            )
            for name, found in rows.items()
        }

    @property
    def num_features(self) -> int:
        return len(self.feature_names)

    def split(self, name: SplitName) -> MaskedTensors:
        return find_split(self._splits, name)


def _features(table: Table, column: str, train: Sequence[int]) -> dict[str, Tensor]:
    """The inputs of one column, [N] each, by name."""
    cells = table.column(column)
    if all(cell is None for cell in cells):
        raise InputError(f"{table.path}: column {column!r} has no values; name the others as `inputs`")
    numbers = [_number(cell) for cell in cells]
    if any(number is None for number in numbers):
        return _one_hot(table, column, train)
    values = torch.tensor(numbers, dtype=torch.float64)
    known = values[list(train)]
    known = known[~known.isnan()]
    if len(known) == 0 or known.std(correction=0) == 0:
        raise InputError(
            f"{table.path}: column {column!r} has one value at most in the training rows; name the others as `inputs`"
        )
    scaled = (values - known.mean()) / known.std(correction=0)
    found = {column: scaled.nan_to_num(0.0).float()}
    if values.isnan().any():
        found[f"{column} is empty"] = values.isnan().float()
    return found


def _one_hot(table: Table, column: str, train: Sequence[int]) -> dict[str, Tensor]:
    cells = table.column(column)
    texts = sorted({cell for row in train if (cell := cells[row]) is not None})
    if len(texts) > _MOST_TEXTS:
        raise InputError(
            f"{table.path}: column {column!r} has {len(texts)} different texts in the training rows, so they are "
            "names; name the other columns as `inputs`"
        )
    return {f"{column} = {text}": torch.tensor([float(cell == text) for cell in cells]) for text in texts}


def _number(cell: str | None) -> float | None:
    """The number in a cell, NaN without one; None if it is a text."""
    if cell is None:
        return math.nan
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
