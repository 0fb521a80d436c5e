"""Which column of a table is what: a task, the names of pictures, a split, a group, or none of these, and why."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from nas.datasets.columns import Cells, Table, holds_names, infer_kind, names_splits
from nas.datasets.images_csv.files import names_pictures
from nas.errors import InputError, no_such

_ID = re.compile(r"(.*[ _.-])?(id|ids|idx|index|uuid|key)|(.*[a-z])?Id|unnamed: 0|", re.IGNORECASE)
_FEWEST_GROUPS = 10
"""With fewer groups, a split may get none."""
_MANY_CLASSES = 10


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are for.

    Args:
        kinds: by column that can be a task, a `nas.datasets.columns.Kind` or "mask".
        notes: by column that can be a task, what its cells hold, in words.
        left_out: by column that cannot be one, why.
        image: the column that names the pictures.
        split: the column that divides the rows.
        group: the column whose equal cells stay in one split.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    image: str | None = None
    split: str | None = None
    group: str | None = None


def find_roles(table: Table, targets: Sequence[str] | None = None, *, pictures: bool) -> Roles:
    """The roles of all columns.

    Args:
        targets: the columns that become tasks; by default every column that can be one, and looks like no id.
        pictures: whether a column names pictures.

    Raises:
        InputError: a target is not a column, or cannot be a task; or no column, or several, name the pictures.
    """
    wanted = set(targets or ())
    for name in targets or ():
        if name not in table.columns:
            raise InputError(f"{table.path}: {no_such('column', name, table.columns)}")
    others = {name: cells for name, cells in table.columns.items() if name not in wanted}
    image = _image_of(table, others) if pictures else None
    split = next((name for name, cells in others.items() if names_splits(cells)), None)
    ids = [name for name in others if name != image and _ID.fullmatch(name) and _repeats(others[name])]
    roles = Roles(image=image, split=split, group=ids[0] if ids and split is None else None)
    for name, cells in table.columns.items():
        reason = _reason(name, cells, roles, chosen=name in wanted)
        if reason is None:
            roles.kinds[name] = kind = "mask" if pictures and names_pictures(cells) else infer_kind(cells)
            roles.notes[name] = _note(cells, kind)
        elif name in wanted:
            raise InputError(f"{table.path}: column {name!r} cannot be a task: {reason}")
        else:
            roles.left_out[name] = reason
    return roles


def _image_of(table: Table, columns: dict[str, Cells]) -> str:
    """The first column that names a different picture in every row; masks may do so, too, and come after pictures."""
    found = [name for name, cells in columns.items() if None not in cells and names_pictures(cells)]
    different = [name for name in found if len(set(columns[name])) == len(table)]
    if not different:
        raise InputError(f"{table.path}: no column names a picture of its own, such as 0001.jpg, for every row")
    return different[0]


def _repeats(cells: Cells) -> bool:
    """Whether there are enough groups of rows, and the groups have several rows."""
    return None not in cells and _FEWEST_GROUPS <= len(set(cells)) <= len(cells) / 2


def _reason(name: str, cells: Cells, roles: Roles, *, chosen: bool) -> str | None:
    """Why a column cannot be a task; None if it can."""
    present = [cell for cell in cells if cell is not None]
    if not present:
        return "has no values"
    if len(set(present)) == 1:
        return f"is {present[0][:40]!r} in every row"
    if name == roles.image:
        return "names the pictures"
    if name == roles.split:
        return "says which split a row belongs to"
    if name == roles.group:
        return "is named like an id and repeats, so its rows stay in one split"
    if _ID.fullmatch(name) and not chosen:
        return "is named like an id"
    if infer_kind(cells) == "classes" and not names_pictures(cells) and holds_names(cells):
        return f"has {len(set(present))} different texts in {len(present)} cells, so they are names"
    return None


def _note(cells: Cells, kind: str) -> str:
    present = [cell for cell in cells if cell is not None]
    empty = len(cells) - len(present)
    missing = f"; {empty} of {len(cells)} cells are empty, and these rows have no such label" if empty else ""
    different = sorted(set(present))
    if kind == "mask":
        return f"files such as {present[0]}{missing}"
    if kind == "yes_no":
        counts = ", ".join(f"{cell} {present.count(cell)} times" for cell in different)
        return f"{counts}{missing}"
    if kind == "number":
        numbers = [float(cell) for cell in present]
        return f"{min(numbers):g} to {max(numbers):g}, on average {sum(numbers) / len(numbers):.4g}{missing}"
    shown = ", ".join(cell[:20] for cell in different[:_MANY_CLASSES])
    more = f", and {len(different) - _MANY_CLASSES} more" if len(different) > _MANY_CLASSES else ""
    doubt = ""
    if all(cell.lstrip("+-").isdigit() for cell in different):
        doubt = '; whole numbers are taken for classes: write "number" if their order counts'
    elif more:
        doubt = "; if they name persons or objects of several rows, leave it out here and name it as `group` below"
    return f"{len(different)} classes: {shown}{more}{missing}{doubt}"
