"""Python source: what comes from a file is quoted in code, and stays within its line in comments."""

import os
import textwrap
from collections.abc import Iterable
from pathlib import Path

WIDTH = 88
"""Of a line: the default of the usual formatters."""


def quoted(text: str) -> str:
    """A string literal, with double quotes where that needs no escape.

    >>> print(quoted("5 o'clock"), quoted('12" disk'))
    "5 o'clock" '12" disk'
    """
    return repr(text) if '"' in text else f'"{repr(text)[1:-1]}"'


def comment(text: str, indent: int = 0) -> str:
    """Lines of a comment. Line breaks and characters that do not print are escaped, so nothing leaves the comment.

    >>> print(comment("a\\nimport os"))
    # a\\nimport os
    """
    printable = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    start = " " * indent + "# "
    return textwrap.fill(printable, WIDTH, initial_indent=start, subsequent_indent=start, break_on_hyphens=False)


def call(function: str, arguments: Iterable[str], indent: int = 0) -> str:
    """A call with one argument a line, which formatters leave so."""
    inner = "".join(f"{' ' * (indent + 4)}{argument},\n" for argument in arguments)
    return f"{function}(\n{inner}{' ' * indent})"


def folder_of(path: Path, out: Path) -> str:
    """An expression for a folder: relative to the recipe if the folder is below the recipe's, else absolute."""
    folder, here = path.resolve(), out.resolve().parent
    if folder.is_relative_to(here):
        below = os.path.relpath(folder, here)
        return "Path(__file__).parent" + ("" if below == "." else f" / {quoted(Path(below).as_posix())}")
    return f"Path({quoted(str(folder))})"
