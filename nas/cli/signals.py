"""How a command is stopped from outside, and standard streams that are closed."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


class Termination:
    """Whether SIGTERM has arrived."""

    received = False


@contextlib.contextmanager
def sigterm_as_interrupt() -> Iterator[Termination]:
    """Let SIGTERM, by which clusters stop a job, do what Ctrl-C does while the block runs.

    Ray Train's own handler of Ctrl-C is not asked: it waits for processes that the same SIGTERM may have ended. Outside
    of the main thread, where Python takes no signals, nothing changes.
    """
    termination = Termination()
    if threading.current_thread() is not threading.main_thread():
        yield termination
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        termination.received = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield termination
    finally:
        signal.signal(signal.SIGTERM, before)


def replace_closed_streams() -> None:
    """Put /dev/null in the place of standard streams that are closed (``nas ... >&-``).

    Otherwise the next file that is opened, a checkpoint for instance, gets the number of a closed stream, and whatever
    is printed by a library in C goes into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # In this order, each gets the lowest number that is free, which is the stream's own.
            stream = open(os.devnull, mode)  # noqa: SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
