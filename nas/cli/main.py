"""Entry point: runs a command and turns what goes wrong into an exit status and one line."""

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
import nas.cli.training

# isort: split
import nas.cli.deploy  # noqa: F401
from nas.cli.app import app
from nas.cli.jobs import jobs_app
from nas.cli.signals import Termination, replace_closed_streams, sigterm_as_interrupt
from nas.errors import InputError, WorkFailed, in_one_line, machine_failure

app.add_typer(jobs_app)

DONE, FAILED, WRONG_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143

_RESUME = "go on with --resume"
_GOING_ON = {"search": _RESUME, "retrain": _RESUME, "compare": "run it again: it repeats no training that is done"}
"""How to go on, after a command that trains was stopped."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``nas`` and exit.

    The exit status is 0 if it is done, 1 if the work failed, 2 if the input was wrong, 130 if it was interrupted, and
    143 if it was stopped by SIGTERM. What was interrupted or stopped goes on from the last checkpoint.
    """
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit status of a command; whatever it has to say goes to standard output and standard error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    replace_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path may hold what no encoding has, and a terminal's encoding may lack what a tree is drawn with.
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.WARNING, handlers=[_Warnings()], force=True)
    logging.getLogger("nas.commands").setLevel(logging.INFO)
    try:
        status, message = _run(words)
        if message:
            print(_in_one_line(message), file=sys.stderr)
    except BrokenPipeError:
        # Whoever reads the output has seen enough: `nas profile RECIPE | head`.
        _discard_output()
        return FAILED
    return status


def _run(words: Sequence[str]) -> tuple[int, str]:
    """The exit status of a command, and the line that ends it if something went wrong."""
    command, *_ = [*words, ""]
    going_on = f"; {_GOING_ON[command]}" if command in _GOING_ON else ""
    termination = Termination()
    try:
        with sigterm_as_interrupt() as termination:
            status = app(args=list(words), prog_name="nas", standalone_mode=False)
            sys.stdout.flush()
    except BaseException as error:
        if termination.received:
            # Whatever else failed, failed because the command was stopped: a process that loads samples, for instance.
            return TERMINATED, f"stopped by SIGTERM{going_on}"
        if isinstance(error, BrokenPipeError):
            raise
        return _failure(error, going_on)
    if status == INTERRUPTED:
        # The parser's word for Ctrl-C.
        return (TERMINATED, f"stopped by SIGTERM{going_on}") if termination.received else _interrupted(going_on)
    return (status if isinstance(status, int) else DONE), ""


def _interrupted(going_on: str) -> tuple[int, str]:
    return INTERRUPTED, f"interrupted{going_on}"


def _failure(error: BaseException, going_on: str) -> tuple[int, str]:
    """The exit status and the line for what a command has raised; a traceback is printed for a bug of ours alone."""
    kept = "; what was done until the last checkpoint is kept (--resume)" if going_on.endswith(_RESUME) else ""
    match error:
        case InputError():
            return WRONG_INPUT, f"error: {error}"
        case typer.TyperException():
            # What the parser refuses; its own words, without the page of usage that it would print around them.
            message = error.format_message() if hasattr(error, "format_message") else str(error)
            return WRONG_INPUT, f"error: {message or 'a command is missing'} (nas --help)"
        case WorkFailed():
            return FAILED, f"error: {error}{kept}"
        case KeyboardInterrupt() | typer.Abort():
            return _interrupted(going_on)
        case SystemExit():
            # rich ends a command whose output nobody reads.
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
    """Warnings, and what a command says of its work, one line each.

    They go to whatever standard error is at the time: a live display puts itself there.
    """

    def emit(self, record: logging.LogRecord) -> None:
        kind = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        print(_in_one_line(f"{kind}{record.getMessage()}"), file=sys.stderr)


def _in_one_line(message: str) -> str:
    # Plain text on purpose: messages hold brackets, which a console would take for markup. What does not print (an
    # escape sequence in the name of a file, half a surrogate pair) is spelt out.
    line = " ".join(message.split())
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


def _discard_output() -> None:
    """Let Python's last flush of standard output go nowhere, for it would fail, too."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
