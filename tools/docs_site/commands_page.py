"""The page of all commands, from the help of the command line."""

import inspect
import re
from typing import Any

import typer

from nas.cli.main import app


def commands_page() -> str:
    """Each command with its arguments and options, in the order of `nas --help`."""
    program: Any = typer.main.get_command(app)
    parts = [
        "# Commands",
        "What `nas COMMAND --help` says. The exit status is 0 (done), 1 (the work failed), 2 (the input was wrong; one "
        "line says where), 130 (interrupted) or 143 (terminated).",
    ]
    for name, command in program.commands.items():
        parts += [f"## nas {name}", _paragraphs(command.help), _table(name, command)]
    return "\n\n".join(parts) + "\n"


def _paragraphs(help_text: str) -> str:
    """The help, in which single line breaks do not count."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(help_text))


def _table(name: str, command: Any) -> str:
    context = typer.Context(command, info_name=name)
    # None is what a parameter that --help does not show has.
    records = [record for one in command.params if (record := one.get_help_record(context)) is not None]
    rows = [f"| `{_cell(parameter)}` | {_cell(meaning)} |" for parameter, meaning in records]
    return "\n".join(["| argument or option | meaning |", "| --- | --- |", *rows])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
