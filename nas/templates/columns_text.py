"""The lines of a recipe about the columns of a table."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from nas.datasets.columns import Table, find_table, read_table, split_rows
from nas.templates.roles import Roles
from nas.templates.source_text import comment, quoted


def read(source: Path) -> tuple[Path, Table]:
    """The folder and the table of a folder, or of a table in it."""
    folder, name = (source, None) if source.is_dir() else (source.parent, source.name)
    return folder, read_table(find_table(folder, name))


def targets(roles: Roles, names: Iterable[str]) -> str:
    """The constant TARGETS, with what was found in each column."""
    lines = ["TARGETS: dict[str, Stated] = {"]
    for name in names:
        lines += [comment(roles.notes[name], 4), f"    {quoted(name)}: {quoted(roles.kinds[name])},"]
    return "\n".join([*lines, "}", ""])


def left_out(reasons: Mapping[str, str]) -> str:
    """A comment on the columns that are not used."""
    lines = [comment(f"  {quoted(name)} {reason}") for name, reason in reasons.items()]
    return "\n".join(["# Columns that are left out:", *lines, ""]) if lines else ""


def rows(roles: Roles) -> tuple[str, list[str]]:
    """A comment that says how rows are divided, and the arguments of the data source for it."""
    if roles.split is not None:
        said = f"The column {quoted(roles.split)} says which rows train, validate and test. "
        return f"{said}Splits that it does not name are cut from its training rows.", [f"split={quoted(roles.split)}"]
    divided = "Rows are divided at random: 20 % test, 15 % validation, 15 % architecture, the rest train."
    if roles.group is not None:
        said = f" Rows of one {quoted(roles.group)} stay in one split; otherwise the test would repeat the training."
        return divided + said, [f"group={quoted(roles.group)}"]
    return f"{divided} If several rows show one person or object, name their column: group=NAME.", []


def num_training(table: Table, roles: Roles) -> int:
    """How many rows a search trains on."""
    divided = split_rows(table, split=roles.split, group=roles.group, seed=0)
    return len(divided["train"]) + len(divided["architecture"])
