"""Entry point: runs a command and turns what goes wrong into an exit status and one line."""

import logging
import sys
import traceback
from collections.abc import Sequence

import typer
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
        status = app(args=None if arguments is None else list(arguments), prog_name="nas", standalone_mode=False)
    except InputError as error:
        return _say(f"error: {error}", WRONG_INPUT)
    except typer.TyperException as error:
        # What the parser refuses; its own words, without the page of usage that it would print around them.
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        return _say(f"error: {message or 'a command is missing'} (nas --help)", WRONG_INPUT)
    except WorkFailed as error:
        return _say(f"error: {error}; what was done until the last checkpoint is kept (--resume)", FAILED)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        traceback.print_exc()
        return _say(f"error: {type(error).__name__}: {error}", FAILED)
    if status == INTERRUPTED:
        return _say("interrupted; go on with --resume", INTERRUPTED)
    return status if isinstance(status, int) else DONE


def _say(message: str, status: int) -> int:
    # Plain text on purpose: messages hold brackets, which a console would take for markup.
    print(" ".join(message.split()), file=sys.stderr)
    return status
