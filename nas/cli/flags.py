"""The flags of the running command in place of the parameters that the library's messages name.

The functions of the library name their parameters in backticks: ```worst` must be 0 or more``, ``leave `out` out``,
``name one with `tree=FILE```, ``continue with `resume=True```. These messages are right in Python as they are. In the
terminal they read ``--worst must be 0 or more``, ``name one with --tree FILE`` and ``continue with --resume``.

No table says which flag stands for which parameter. A function of the command line calls its own parameters what the
library calls them, and the parser knows the flag of each (`options.SetOption` is ``--set``, for instance). Names
that are not options of the running command stay as they are.
"""

import re
from collections.abc import Mapping

import typer.main

_PARAMETER = re.compile(r"`([a-z_][a-z0-9_]*)(?:=([^`]*))?`")


def with_flags(message: str, command: str, app: typer.Typer) -> str:
    """A message of the library with the flags of a command.

    Args:
        message: names parameters as ``name`` or ``name=VALUE``, in backticks.
        command: the name of the running command; one that does not exist has no flags.
        app: the commands.
    """
    if "`" not in message:
        return message
    flags = flags_of(command, app)

    def flag(found: re.Match[str]) -> str:
        name, value = found.groups()
        if name not in flags:
            return found[0]
        return flags[name] if value in (None, "True") else f"{flags[name]} {value}"

    return _PARAMETER.sub(flag, message)


def flags_of(command: str, app: typer.Typer) -> Mapping[str, str]:
    """The flag of each option of a command, by the name of the parameter."""
    known = getattr(typer.main.get_command(app), "commands", {}).get(command)
    options = [parameter for parameter in known.params if parameter.param_type_name == "option"] if known else []
    return {option.name: option.opts[0] for option in options}
