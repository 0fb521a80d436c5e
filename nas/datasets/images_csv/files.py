"""The files that a column names."""

from collections.abc import Sequence
from pathlib import Path

from nas.datasets.columns import Table
from nas.errors import InputError

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"})


def names_pictures(cells: Sequence[str | None]) -> bool:
    """Whether all cells that have a value end like the name of a picture's file."""
    present = [cell for cell in cells if cell is not None]
    return bool(present) and all(Path(cell).suffix.lower() in ENDINGS for cell in present)


def find_image_column(table: Table, targets: Sequence[str]) -> str:
    """The column that names each row's picture: the only one, besides targets, that names a picture in every row.

    Raises:
        InputError: there is none, or several.
    """
    found = [
        name
        for name, cells in table.columns.items()
        if name not in targets and None not in cells and names_pictures(cells)
    ]
    if len(found) != 1:
        raise InputError(
            f"{table.path}: {' and '.join(found) + ' each name' if found else 'no column names'} a picture, such as "
            "0001.jpg, in every row; state the column as `image`"
        )
    return found[0]


def find_files(folder: Path, table: Table, column: str) -> list[Path | None]:
    """The file of each row, None for empty cells.

    Names are relative to the folder, or to the one folder in it that has the file of the first row that names one.

    Raises:
        InputError: a file is not there, or the first one is in several folders.
    """
    cells = table.column(column)
    first = next((cell for cell in cells if cell is not None), None)
    if first is None:
        raise InputError(f"{table.path}: column {column!r} names no file")
    base = _base(folder, first, table, column)
    files = [None if cell is None else base / cell for cell in cells]
    for row, path in enumerate(files):
        if path is not None and not path.is_file():
            raise InputError(f"{path}: no such file; {table.place(row)} names it in column {column!r}")
    return files


def _base(folder: Path, first: str, table: Table, column: str) -> Path:
    if (folder / first).is_file():
        return folder
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and (path / first).is_file())
    if len(inside) == 1:
        return inside[0]
    named = ", ".join(path.name for path in inside)
    raise InputError(
        f"{folder}: {first} of column {column!r} is "
        + (f"in several folders ({named}); write the folder into {table.path.name}" if inside else "not in it")
    )
