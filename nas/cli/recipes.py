"""The command settings: what a recipe can set."""

import json
import textwrap
from typing import Annotated

import typer

from nas.cli.app import _console, _print_json, app
from nas.cli.options import JsonOption


@app.command()
def settings(
    strategy: Annotated[
        str | None,
        typer.Argument(metavar="[STRATEGY]", help="The name of a strategy, e.g. similarity; its fields only."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List every field of a recipe: its default, its meaning, and the strategies that read it.

    Names and values are written as --set takes them.
    """
    from nas.commands.settings import settings as list_settings

    found = list_settings(strategy)
    if as_json:
        _print_json([one.to_dict() for one in found])
        return
    width = min(_console().width, 100)
    for one in found:
        # A group of fields is listed field by field.
        value = "" if isinstance(one.default, dict) and one.default else f" = {json.dumps(one.default)}"
        readers = f"  ({', '.join(one.strategies)})" if one.strategies and strategy is None else ""
        print(f"{one.name}{'  (required)' if one.required else value}{readers}")
        print(textwrap.fill(one.meaning, width, initial_indent="    ", subsequent_indent="    "))
