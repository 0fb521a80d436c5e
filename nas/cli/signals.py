"""Handle SIGTERM like Ctrl-C, and replace closed standard streams."""

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
    """While the block runs, treat SIGTERM, with which clusters stop a job, like Ctrl-C.

    Ray Train's own handler of Ctrl-C is not used, because it waits for processes that the same SIGTERM may have ended.
    Outside of the main thread Python cannot handle signals, so nothing changes there.
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
    """Open /dev/null for standard streams that are closed (``nas ... >&-``).

    Otherwise the next file that is opened, for instance a checkpoint, gets the number of a closed stream, and output of
    C libraries is written into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # An opened file gets the lowest free number; in this order, that is the stream's own number.
            stream = open(os.devnull, mode)  # noqa: SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
