"""The form that all tables in a terminal have."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

SPACING = 3
"""Number of blanks between the columns of a table."""


def plain_table(*columns: str, left: Sequence[str] = ()) -> Table:
    """A table without rows; the first column and those in ``left`` begin at the left, the others end at the right."""
    table = Table(caption_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 or column in left else "right")
    return table
