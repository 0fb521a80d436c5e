"""Columns of a table (CSV or parquet) as tasks: what a column holds is inferred, and shown by `nas check`.

- `table` reads a table as texts; empty cells are missing labels.
- `kinds` turns a column into a task: classes, yes or no, a number, an angle.
- `splits` divides the rows, by a column or at random, and keeps groups of rows together.

`nas.datasets.images_csv` and `nas.datasets.table_csv` are built on it.

>>> from nas.datasets.columns import infer_kind
>>> [infer_kind(cells) for cells in (["oak", "ash", None], ["0", "1", "1"], ["2.5", "7.25", None])]
['classes', 'yes_no', 'number']
"""

from nas.datasets.columns.kinds import Column, Kind, Stated, column_of, holds_names, infer_kind, stated_kinds, task_name
from nas.datasets.columns.splits import names_splits, split_rows
from nas.datasets.columns.table import ENDINGS, Cells, Table, find_table, read_table

__all__ = [
    "ENDINGS",
    "Cells",
    "Column",
    "Kind",
    "Stated",
    "Table",
    "column_of",
    "find_table",
    "holds_names",
    "infer_kind",
    "names_splits",
    "read_table",
    "split_rows",
    "stated_kinds",
    "task_name",
]
