"""The two lists of CelebA: the attributes of each picture, and its partition."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nas.data.batch import SplitName
from nas.data.reading import Array, read_text
from nas.errors import InputError

_PARTITIONS: dict[str, SplitName] = {"0": "train", "1": "validation", "2": "test"}
_DECISIONS = {"1": 1, "-1": 0, "0": 0}


class AttributeTable(NamedTuple):
    """The attributes of N pictures: their names, the row and the line of each picture, and 1 or 0, [N, attributes]."""

    names: tuple[str, ...]
    rows: Mapping[str, int]
    lines: tuple[int, ...]
    decisions: Array


def read_attributes(path: Path) -> AttributeTable:
    """The file of attributes; 0 in place of -1 is accepted, as some copies of the file have it, but not both.

    Raises:
        InputError: the file is missing or not UTF-8 text; the count is wrong; or a line has another form, names a
            picture twice or holds another value. The message names the line.
    """
    lines = _numbered(path, "the attributes of each picture")
    if len(lines) < 3:
        raise InputError(f"{path}: has {len(lines)} lines; a count, the attributes' names and pictures are needed")
    (count_line, (count, *more)), (names_line, names) = lines[:2]
    pictures = lines[2:]
    if more or not count.isdecimal() or int(count) != len(pictures):
        raise InputError(
            f"{path}: line {count_line} must be the number of pictures that follow, {len(pictures)}; found "
            f"{' '.join([count, *more])!r}"
        )
    if len(set(names)) != len(names):
        raise InputError(f"{path}: line {names_line} names an attribute twice")
    rows: dict[str, int] = {}
    decisions = bytearray()
    noes: set[str] = set()
    for number, (picture, *values) in pictures:
        _add(rows, picture, f"{path}: line {number}")
        if len(values) != len(names):
            raise InputError(f"{path}: line {number} has {len(values)} values for {len(names)} attributes")
        held = set(values)
        if not held <= _DECISIONS.keys():
            wrong = next(value for value in values if value not in _DECISIONS)
            raise InputError(f"{path}: line {number} holds {wrong!r}; values are 1 (yes) and -1 (no)")
        noes |= held - {"1"}
        if len(noes) == 2:
            raise InputError(f"{path}: line {number}: both -1 and 0 are in the file; write -1 for no")
        decisions.extend(map(_DECISIONS.__getitem__, values))
    array = np.frombuffer(bytes(decisions), dtype=np.uint8).reshape(len(rows), len(names))
    return AttributeTable(tuple(names), rows, tuple(number for number, _ in pictures), array)


def read_partition(path: Path, table: AttributeTable, attributes: Path) -> dict[SplitName, tuple[str, ...]]:
    """The pictures of "train", "validation" and "test".

    Args:
        path: the file of partitions.
        table: the attributes of the pictures.
        attributes: the file that they are from, for messages.

    Raises:
        InputError: the file is missing or not UTF-8 text; a line has another form or names a picture twice; a picture
            is in only one of the two files; or a partition has no picture.
    """
    by_split: dict[SplitName, list[str]] = {split: [] for split in _PARTITIONS.values()}
    seen: dict[str, int] = {}
    for number, (picture, *values) in _numbered(path, "the partition of each picture"):
        _add(seen, picture, f"{path}: line {number}")
        if len(values) != 1 or values[0] not in _PARTITIONS:
            raise InputError(f"{path}: line {number} must be a picture and 0, 1 or 2; found {' '.join(values)!r}")
        if picture not in table.rows:
            raise InputError(f"{path}: line {number}: {picture!r} is not in {attributes}")
        by_split[_PARTITIONS[values[0]]].append(picture)
    if missing := next((picture for picture in table.rows if picture not in seen), None):
        raise InputError(f"{attributes}: line {table.lines[table.rows[missing]]}: {missing!r} is not in {path}")
    for partition, split in _PARTITIONS.items():
        if not by_split[split]:
            raise InputError(f"{path}: has no picture of partition {partition}, which is the split {split!r}")
    return {split: tuple(names) for split, names in by_split.items()}


def _numbered(path: Path, what: str) -> list[tuple[int, list[str]]]:
    """The words of each line that is not blank, with the line's number."""
    lines = enumerate(read_text(path, what).splitlines(), start=1)
    return [(number, words) for number, line in lines if (words := line.split())]


def _add(rows: dict[str, int], picture: str, where: str) -> None:
    """Give a picture the next row; InputError if it has one, or is not the name of a file."""
    if picture in rows:
        raise InputError(f"{where} names {picture!r} a second time; remove one of its lines")
    if "/" in picture or "\\" in picture or "\0" in picture:
        raise InputError(f"{where}: {picture!r} is not the name of a picture")
    rows[picture] = len(rows)
