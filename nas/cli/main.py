"""Entry point: runs a command and turns what goes wrong into an exit status and one line."""

import logging
import sys
import traceback
from collections.abc import Sequence

import click
from rich.console import Console
from rich.logging import RichHandler

from nas.cli.app import app
from nas.errors import InputError, WorkFailed

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``nas`` and exit: 0 done, 1 the work failed, 2 the input was wrong, 130 interrupted (resumable)."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit status of a command; whatever it has to say goes to standard output and standard error."""
    console = Console(stderr=True)
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=console, show_time=False, show_path=False)],
        force=True,
    )
    try:
        app(args=None if arguments is None else list(arguments), prog_name="nas", standalone_mode=False)
    except (click.exceptions.Exit, SystemExit) as exit_:
        code = exit_.exit_code if isinstance(exit_, click.exceptions.Exit) else exit_.code
        return code if isinstance(code, int) else DONE
    except InputError as error:
        return _say(str(error), WRONG_INPUT)
    except click.ClickException as error:
        return _say(error.format_message(), WRONG_INPUT)
    except WorkFailed as error:
        return _say(f"{error}; what was done until the last checkpoint is kept (--resume)", FAILED)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted; go on with --resume", INTERRUPTED)
    except Exception as error:
        traceback.print_exc()
        return _say(f"{type(error).__name__}: {_one_line(str(error))}", FAILED)
    return DONE


def _say(message: str, status: int) -> int:
    # Plain text on purpose: messages hold brackets, which a console would take for markup.
    print(f"error: {_one_line(message)}" if status != INTERRUPTED else message, file=sys.stderr)
    return status


def _one_line(message: str) -> str:
    return " ".join(message.split())
