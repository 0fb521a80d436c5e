"""Dividing the rows of a table into the four splits."""

from collections.abc import Sequence

from nas.data.batch import SPLITS, SplitName
from nas.data.splits import split_indices
from nas.datasets.columns.table import Cells, Table
from nas.errors import InputError

_SPELLINGS: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "architecture": "architecture",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_SHARES: dict[SplitName, float] = {"test": 0.2, "validation": 0.15, "architecture": 0.15}
"""The share of all rows that a split gets if the table does not name it."""


def names_splits(cells: Cells) -> bool:
    """Whether a column divides the rows: each cell says train, validation, test or architecture, not all the same."""
    named = {_SPELLINGS.get(cell.casefold()) if cell is not None else None for cell in cells}
    return None not in named and len(named) > 1


def split_rows(table: Table, *, split: str | None, group: str | None, seed: int) -> dict[SplitName, tuple[int, ...]]:
    """The rows of each split, ascending.

    Args:
        split: a column that says train, validation or test for each row (or train and test only). Without it, the
            rows are divided at random: 20 % test, 15 % validation, 15 % architecture, the rest train. What the column
            does not name is cut at random from its training rows, in the same proportions.
        group: a column whose equal cells stay in one split, such as the patient of several pictures.
        seed: of the random cuts.

    Raises:
        InputError: a column does not exist, a cell is empty or names no split, a group would be in two splits, or a
            split would get no rows.
    """
    groups = [str(row) for row in range(len(table))] if group is None else _filled(table, group)
    named = _all_training(table) if split is None else _named(table, split)
    rows: dict[SplitName, list[int]] = {name: [row for row in named if named[row] == name] for name in SPLITS}
    if split is not None and group is not None:
        _require_whole(table, group, groups, named)
    missing = [name for name in SPLITS[1:] if not rows[name]]
    _cut(rows, missing, groups, seed)
    if empty := [name for name in SPLITS if not rows[name]]:
        raise InputError(
            f"{table.path}: its {len(table)} rows ({len(set(groups))} groups) leave none for the split {empty[0]!r}; "
            "add rows, or fewer of one group"
        )
    return {name: tuple(sorted(found)) for name, found in rows.items()}


def _cut(rows: dict[SplitName, list[int]], missing: Sequence[SplitName], groups: Sequence[str], seed: int) -> None:
    """Move whole groups of training rows at random into the missing splits."""
    kept = list(dict.fromkeys(groups[row] for row in rows["train"]))
    whole = 1.0 - sum(_SHARES[name] for name in SPLITS[1:] if name not in missing)
    shares: dict[str, float] = {name: _SHARES[name] / whole for name in missing}
    parts = split_indices(len(kept), {**shares, "train": 1.0 - sum(shares.values())}, seed)
    owner = {kept[i]: name for name, indices in parts.items() for i in indices}
    training, rows["train"] = rows["train"], []
    for row in training:
        rows[owner[groups[row]]].append(row)  # type: ignore[index]  # its names are those of the splits


def _all_training(table: Table) -> dict[int, SplitName]:
    return dict.fromkeys(range(len(table)), "train")


def _named(table: Table, column: str) -> dict[int, SplitName]:
    found: dict[int, SplitName] = {}
    for row, cell in enumerate(_filled(table, column)):
        name = _SPELLINGS.get(cell.casefold())
        if name is None:
            raise InputError(f"{table.place(row)}: column {column!r} is {cell!r}; it must be train, validation or test")
        found[row] = name
    return found


def _filled(table: Table, column: str) -> list[str]:
    cells = table.column(column)
    if None in cells:
        raise InputError(f"{table.place(list(cells).index(None))}: column {column!r} is empty")
    return [str(cell) for cell in cells]


def _require_whole(table: Table, column: str, groups: Sequence[str], named: dict[int, SplitName]) -> None:
    first: dict[str, SplitName] = {}
    for row, group in enumerate(groups):
        if first.setdefault(group, named[row]) != named[row]:
            raise InputError(
                f"{table.place(row)}: {column} {group!r} is in the splits {first[group]} and {named[row]}; a group "
                "belongs to one split"
            )
