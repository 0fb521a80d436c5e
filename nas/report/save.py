"""Pictures and graphs as files, by suffix."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nas.errors import InputError
from nas.files import write_bytes_atomically
from nas.report.graph_file import dot, graphml
from nas.report.summary import check_resource
from nas.report.theme import THEMES, ThemeName
from nas.tree import BranchTree, CostTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = (".png", ".svg", ".pdf")
GRAPHS = (".dot", ".graphml")


def save_tree(
    tree: BranchTree,
    path: str | os.PathLike[str],
    table: CostTable | None = None,
    *,
    title: str | None = None,
    resource: str = "macs",
    theme: ThemeName = "light",
    transparent: bool = False,
) -> None:
    """Write a tree as a picture (png, svg, pdf; see `draw_tree`) or as a graph (dot, graphml; see `plain_graph`).

    The same tree gives the same bytes. Graphs have no title and no theme, and need no matplotlib.

    Raises:
        InputError: the suffix is unknown, the file cannot be written, the table is not of this tree or lacks the
            resource, or a picture is asked for and matplotlib is missing.
    """
    suffix = _suffix(path, PICTURES + GRAPHS)
    if table is not None:
        check_resource(table, resource)
    if suffix == ".dot":
        data = dot(tree, table, resource).encode()
    elif suffix == ".graphml":
        data = graphml(tree, table)
    else:
        # Imported here, because graph files do not need matplotlib.
        from nas.report.canvas import rendered
        from nas.report.picture import draw_tree

        figure = draw_tree(tree, table, title=title, resource=resource, theme=theme)
        data = rendered(figure, suffix[1:], transparent=transparent)
    write_bytes_atomically(path, data)


def save_figure(figure: Figure, path: str | os.PathLike[str], *, transparent: bool = False) -> None:
    """Write a figure as png, svg or pdf, with or without its ground: text stays text, equal figures are equal bytes.

    Raises:
        InputError: the suffix is unknown, or the file cannot be written.
    """
    from nas.report.canvas import rendered

    write_bytes_atomically(path, rendered(figure, _suffix(path, PICTURES)[1:], transparent=transparent))


def check_look(out: str | os.PathLike[str] | None, theme: ThemeName | None, transparent: bool) -> ThemeName:
    """The theme of a picture, light by default; InputError for a look without a picture that could have it."""
    look = "theme" if theme is not None else "transparent" if transparent else None
    if look is not None and (out is None or Path(out).suffix.lower() in GRAPHS):
        raise InputError(f"`{look}` is for a png, svg or pdf file; name one with `out=FILE`, or leave it out")
    if theme is not None and theme not in THEMES:
        raise InputError(f"`theme` is {' or '.join(THEMES)}; found {theme!r}")
    return theme or "light"


def _suffix(path: str | os.PathLike[str], known: tuple[str, ...]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in known:
        raise InputError(f"cannot write {path}: its suffix must be one of {', '.join(known)}; found {suffix!r}")
    return suffix
