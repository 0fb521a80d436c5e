"""The tree file: one branch tree as JSON, with one block a line so that people and diffs can read it."""

import json
import os

from nas.errors import InputError
from nas.files import read_json, write_text_atomically
from nas.tree.branch_tree import BranchTree


def write_tree(tree: BranchTree, path: str | os.PathLike[str]) -> None:
    """Write a tree file with the fields of `BranchTree.to_dict`, completely or not at all.

    Raises:
        InputError: the folder does not exist or may not be written to.
    """
    fields = {name: _json(value) for name, value in tree.to_dict().items()}
    lines = ",\n    ".join(_json(partition) for partition in tree.to_dict()["partitions"])
    fields["partitions"] = f"[\n    {lines}\n  ]"
    text = ",\n  ".join(f"{_json(name)}: {value}" for name, value in fields.items())
    write_text_atomically(path, f"{{\n  {text}\n}}\n")


def read_tree(path: str | os.PathLike[str]) -> BranchTree:
    """The tree in a tree file.

    Raises:
        InputError: the file does not exist, is not strict JSON, or does not hold a tree; one line with the path.
    """
    record = read_json(path)
    try:
        return BranchTree.from_dict(record)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
