"""The commands init and settings: a recipe to begin with, and what a recipe can set."""

import json
import shlex
import sys
import textwrap
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.app import _console, _print_json, _printable, app
from nas.cli.found import MoreArg, _several
from nas.cli.options import JsonOption
from nas.cli.progress import quiet_output
from nas.errors import InputError


@app.command()
def init(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER|TABLE", help="A folder of pictures with a table, a table, or a folder of arrays."
        ),
    ] = None,
    more: MoreArg = None,
    template: Annotated[
        str | None, typer.Option("--template", metavar="NAME", help="The template; by default the one that fits.")
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            "--targets",
            metavar="A B ...",
            help="The columns, or folders of labels, that become tasks; by default all that can be.",
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            metavar="NAME|MODULE:ATTRIBUTE",
            help="mobilenet_v2, resnet18, mlp; or your own class or function, such as mynet:Net.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The recipe's file, which must not exist.")] = Path("recipe.py"),
    list_templates: Annotated[bool, typer.Option("--list", help="List the templates, and write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a recipe for your data, with what was found in them as comments.

    In a terminal, the command asks for what is not given. check and search accept the recipe as it is.
    """
    from nas.templates import TEMPLATES

    if list_templates:
        if as_json:
            _print_json(TEMPLATES)
        else:
            print("\n".join(f"{name:8}{about}" for name, about in TEMPLATES.items()))
        return
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    if source is None:
        if not asks:
            raise InputError("name a folder of pictures with a table, a table, or a folder of arrays: nas init FOLDER")
        source = Path(typer.prompt("Folder or table"))
    names = _several(targets, more, "--targets")
    if names is None and asks:
        names = _asked_targets(source, template)
    from nas.commands.init import init as run_init

    with quiet_output():
        written = run_init(source, template=template, targets=names, backbone=backbone, out=out)
    if as_json:
        _print_json(written.to_dict())
        return
    print(f"{_printable(str(written.path))}: tasks {', '.join(written.tasks)}")
    print(f"the shared network costs {written.smallest_budget:.2f} of separate ones; budgets below are not possible")
    print(f"next: nas check {_printable(shlex.quote(str(written.path)))}")


def _asked_targets(source: Path, template: str | None) -> list[str] | None:
    """The tasks that the user names; None for all of them."""
    from nas.templates import possible_targets

    possible = possible_targets(source, template)
    print(f"These can be tasks: {', '.join(map(_printable, possible))}")
    answer = typer.prompt("Which of them, with commas between (Enter: all)", default="", show_default=False)
    return [word.strip() for word in answer.split(",") if word.strip()] or None


@app.command()
def settings(
    strategy: Annotated[
        str | None,
        typer.Argument(metavar="[STRATEGY]", help="Only the fields of this strategy, e.g. similarity."),
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
