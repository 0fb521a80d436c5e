"""Run a script of cells and write it as a notebook, with what each cell shows:

    python tools/notebook.py runs/notebooks/first_search.py runs/out/first_search.ipynb

A line ``# %%`` begins a cell of code, ``# %% [markdown]`` one of text. The cells run here, in one namespace, in the
folder in which this was started. It needs no Jupyter.
"""

import ast
import contextlib
import io
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_MIME = {"_repr_html_": "text/html", "_repr_svg_": "image/svg+xml"}


def cells_of(script: str) -> Iterator[tuple[str, str]]:
    """The kind ("code" or "markdown") and the text of each cell."""
    for cell in script.split("# %%")[1:]:
        first, _, body = cell.partition("\n")
        if first.strip() == "[markdown]":
            lines = (line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines())
            yield "markdown", "\n".join(lines)
        else:
            yield "code", body.strip()


def run_cell(code: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a cell; returns its outputs: what it prints, and the value of its last expression."""
    body = ast.parse(code).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": printed.getvalue()})
    if value is not None:
        result = {"output_type": "execute_result", "metadata": {}, "execution_count": None, "data": shown(value)}
        outputs.append(result)
    return outputs


def shown(value: object) -> dict[str, str]:
    """How a notebook shows a value, by media type."""
    rich = {mime: show() for name, mime in _MIME.items() if (show := getattr(value, name, None)) is not None}
    return {"text/plain": repr(value), **{mime: text for mime, text in rich.items() if text is not None}}


def notebook(script: str) -> Mapping[str, Any]:
    """The executed notebook, in version 4.5 of the format."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = []
    for i, (kind, text) in enumerate(cells_of(script)):
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{i}", "metadata": {}, "source": text}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": run_cell(text, names)}
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(json.dumps(notebook(source.read_text()), indent=1))
