"""Reading a table as texts, from CSV or parquet."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.data.reading import read_text, require_folder
from nas.errors import InputError, no_such

MISSING = frozenset({"", "na", "n/a", "nan", "null", "<na>"})
"""Cells without a value, in small letters and without blanks around them."""

ENDINGS = (".csv", ".tsv", ".parquet")

Cells = Sequence[str | None]
"""One column; None is a cell without a value."""


@dataclass(frozen=True)
class Table:
    """A table as texts.

    Args:
        path: its file, for messages.
        columns: by name, one cell for each row.
        lines: the number of each row in the file, counted from 1.
    """

    path: Path
    columns: Mapping[str, Cells]
    lines: Sequence[int]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def column(self, name: str) -> Cells:
        """InputError that lists the columns if there is none of this name."""
        if name not in self.columns:
            raise InputError(f"{self.path}: {no_such('column', name, self.columns)}")
        return self.columns[name]

    def place(self, row: int) -> str:
        """The file and the line of a row, for messages."""
        return f"{self.path}, line {self.lines[row]}"


def find_table(folder: Path, name: str | None) -> Path:
    """The table of a folder: the file of that name, or the only table in it.

    Raises:
        InputError: there is no such folder or file, or it holds several tables.
    """
    require_folder(folder, "the folder with the table")
    if name is not None:
        return folder / name
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and not p.name.startswith("."))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise InputError(
            f"{folder}: must hold one table (*.csv, *.tsv or *.parquet), found {names}; name it as `table`"
        )
    return found[0]


def read_table(path: Path) -> Table:
    """Read a table; a file that ends with .parquet needs pyarrow, all others are text.

    Columns are separated by commas, semicolons or tabs, whichever the first line has most of. The first line names
    the columns.

    Raises:
        InputError: the file is missing or damaged, has no rows, a row of another length, or two columns of one name.
    """
    return _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_text(path)


def _read_text(path: Path) -> Table:
    text = read_text(path, "one sample in each row")
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row] or [[]]
    except csv.Error as error:
        raise InputError(f"{path}: is not a table of separated values: {error}") from None
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise InputError(f"{path}: row {number} has {len(row)} cells, and the first one {len(header)}")
    names = [name.strip() for name in header]
    _check(path, names, len(rows))
    columns = {name: [_cell(row[i]) for row in rows] for i, name in enumerate(names)}
    return Table(path, columns, range(2, len(rows) + 2))


def _read_parquet(path: Path) -> Table:
    try:
        from pyarrow import parquet
    except ImportError:
        raise InputError(f"{path}: reading parquet needs pyarrow: pip install pyarrow, or save it as CSV") from None
    if not path.is_file():
        raise InputError(f"{path}: no such file; it must be a table with one row per sample")
    try:
        read: Any = parquet.read_table(path)
        columns = {name: [_cell(value) for value in read[name].to_pylist()] for name in read.column_names}
    except Exception as error:  # whatever a damaged file makes pyarrow raise
        raise InputError(f"{path}: damaged, or no parquet file ({str(error).splitlines()[0]})") from None
    _check(path, list(read.column_names), read.num_rows)
    return Table(path, columns, range(1, read.num_rows + 1))


def _check(path: Path, names: Sequence[str], num_rows: int) -> None:
    if not names or not num_rows:
        raise InputError(f"{path}: has no rows; its first row names the columns, each further row is a sample")
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{path}: has several columns named {doubled[0]!r}; rename all but one")


def _cell(value: Any) -> str | None:
    text = "" if value is None else str(value).strip()
    return None if text.casefold() in MISSING else text
