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

import nas.cli.deploy  # noqa: F401, which adds its commands
from nas.cli.app import app
from nas.cli.jobs import jobs_app
from nas.errors import InputError, WorkFailed, in_one_line, machine_failure

app.add_typer(jobs_app)

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
_RESUMED = ("search", "retrain")
"""Commands that go on with --resume."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``nas`` and exit: 0 done, 1 the work failed, 2 the input was wrong, 130 interrupted (resumable)."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit status of a command; whatever it has to say goes to standard output and standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path may hold what no encoding has, and a terminal's encoding may lack what a tree is drawn with.
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.WARNING, handlers=[_Warnings()], force=True)
    logging.getLogger("nas.commands").setLevel(logging.INFO)
    try:
        status = app(args=None if arguments is None else list(arguments), prog_name="nas", standalone_mode=False)
        sys.stdout.flush()
    except InputError as error:
        return _say(f"error: {error}", WRONG_INPUT)
    except typer.TyperException as error:
        # What the parser refuses; its own words, without the page of usage that it would print around them.
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        return _say(f"error: {message or 'a command is missing'} (nas --help)", WRONG_INPUT)
    except WorkFailed as error:
        return _say(f"error: {error}{_kept(arguments)}", FAILED)
    except BrokenPipeError:
        # Whoever reads the output has seen enough: `nas profile RECIPE | head`.
        _discard_output()
        return FAILED
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            return _say(f"error: {error.filename}: {error.strerror}", WRONG_INPUT)
        if (failure := machine_failure(error)) is not None:
            return _say(f"error: {failure}{_kept(arguments)}", FAILED)
        traceback.print_exc()
        return _say(f"error: {in_one_line(error)}", FAILED)
    if status == INTERRUPTED:
        return _say("interrupted; search and retrain go on with --resume, compare by itself", INTERRUPTED)
    return status if isinstance(status, int) else DONE


class _Warnings(logging.Handler):
    """Warnings, and what a command says of its work, one line each.

    They go to whatever standard error is at the time: a live display puts itself there.
    """

    def emit(self, record: logging.LogRecord) -> None:
        kind = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        print(_in_one_line(f"{kind}{record.getMessage()}"), file=sys.stderr)


def _say(message: str, status: int) -> int:
    print(_in_one_line(message), file=sys.stderr)
    return status


def _kept(arguments: Sequence[str] | None) -> str:
    command, *_ = [*(sys.argv[1:] if arguments is None else arguments), ""]
    return "; what was done until the last checkpoint is kept (--resume)" if command in _RESUMED else ""


def _in_one_line(message: str) -> str:
    # Plain text on purpose: messages hold brackets, which a console would take for markup. What does not print (an
    # escape sequence in the name of a file, half a surrogate pair) is spelt out.
    line = " ".join(message.split())
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


def _discard_output() -> None:
    """Let Python's last flush of standard output go nowhere, for it would fail, too."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
