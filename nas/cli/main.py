"""Entry point: run a command, and turn errors into an exit status and one line."""

import contextlib
import errno
import io
import logging
import os
import sys
import traceback
from collections.abc import Sequence

import typer

# Each adds its commands, which --help lists in this order.
import nas.cli.pictures

# isort: split
import nas.cli.found
import nas.cli.training
import nas.cli.watch

# isort: split
import nas.cli.deploy
import nas.cli.recipes  # noqa: F401
from nas.cli.app import _printable, app
from nas.cli.flags import with_flags
from nas.cli.jobs import jobs_app
from nas.cli.signals import Termination, replace_closed_streams, sigterm_as_interrupt
from nas.errors import InputError, WorkFailed, in_one_line, machine_failure

app.add_typer(jobs_app)

DONE, FAILED, WRONG_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143

_RESUME = "continue with --resume"
_HOW_TO_CONTINUE = {
    "search": _RESUME,
    "retrain": _RESUME,
    "compare": "run it again: it repeats no training that is done",
}
"""How to continue, by the command that was stopped."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``nas`` and exit.

    The exit status is 0 on success, 1 if the work failed, 2 if the input was wrong, 130 if it was interrupted, and
    143 if it was stopped by SIGTERM. An interrupted or stopped command continues from its last checkpoint.
    """
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command with its messages on standard output and standard error; returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    replace_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path may hold bytes that are not text, and a terminal's encoding may lack the lines of a drawn tree.
        sys.stdout.reconfigure(errors="backslashreplace")
    command = words[0] if words else ""
    logging.basicConfig(level=logging.WARNING, handlers=[_Warnings(command)], force=True)
    logging.getLogger("nas.commands").setLevel(logging.INFO)
    try:
        status, message = _run(words)
        if message:
            print(_in_one_line(with_flags(message, command, app)), file=sys.stderr)
    except BrokenPipeError:
        # The reader of the output has closed it: `nas profile RECIPE | head`.
        _discard_output()
        return FAILED
    return status


def _run(words: Sequence[str]) -> tuple[int, str]:
    """The exit status of a command, and its last line if something went wrong."""
    command, *_ = [*words, ""]
    advice = f"; {_HOW_TO_CONTINUE[command]}" if command in _HOW_TO_CONTINUE else ""
    termination = Termination()
    try:
        with sigterm_as_interrupt() as termination:
            status = app(args=list(words), prog_name="nas", standalone_mode=False)
            sys.stdout.flush()
    except BaseException as error:
        if termination.received:
            # Other errors are a consequence of SIGTERM: a process that loads samples was ended too, for instance.
            return TERMINATED, f"stopped by SIGTERM{advice}"
        if isinstance(error, BrokenPipeError):
            raise
        return _failure(error, advice)
    if status == INTERRUPTED:
        # How the parser reports Ctrl-C.
        return (TERMINATED, f"stopped by SIGTERM{advice}") if termination.received else _interrupted(advice)
    return (status if isinstance(status, int) else DONE), ""


def _interrupted(advice: str) -> tuple[int, str]:
    return INTERRUPTED, f"interrupted{advice}"


def _failure(error: BaseException, advice: str) -> tuple[int, str]:
    """The exit status and the line for an error; a traceback is printed only for a bug of this project."""
    kept = "; what was done until the last checkpoint is kept (--resume)" if advice.endswith(_RESUME) else ""
    match error:
        case InputError():
            return WRONG_INPUT, f"error: {error}"
        case typer.TyperException():
            # The parser's own message, without the page of usage that it would print around it.
            message = error.format_message() if hasattr(error, "format_message") else str(error)
            return WRONG_INPUT, f"error: {message or 'a command is missing'} (nas --help)"
        case WorkFailed():
            return FAILED, f"error: {error}{kept}"
        case KeyboardInterrupt() | typer.Abort():
            return _interrupted(advice)
        case SystemExit():
            # rich raises this if the reader of the output has closed it.
            return error.code if isinstance(error.code, int) else FAILED, ""
        case OSError(errno=errno.ENAMETOOLONG):
            return WRONG_INPUT, f"error: {error.filename}: {error.strerror}"
        case Exception():
            if (failure := machine_failure(error)) is not None:
                return FAILED, f"error: {failure}{kept}"
            traceback.print_exception(error)
            return FAILED, f"error: {in_one_line(error)}"
    raise error


class _Warnings(logging.Handler):
    """Print warnings and messages of the commands, one line each.

    The stream is looked up for every message, because a live display replaces standard error.
    """

    def __init__(self, command: str) -> None:
        super().__init__()
        self._command = command

    def emit(self, record: logging.LogRecord) -> None:
        kind = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        message = with_flags(record.getMessage(), self._command, app)
        print(_in_one_line(f"{kind}{message}"), file=sys.stderr)


def _in_one_line(message: str) -> str:
    # Plain text, because rich would take brackets in a message for markup.
    return _printable(" ".join(message.split()))


def _discard_output() -> None:
    """Redirect standard output to /dev/null, because Python's last flush of it would fail, too."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
