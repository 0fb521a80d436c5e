import signal
import sys

import pytest

from nas.cli.signals import sigterm_as_interrupt
from nas.launch.session import _own_sigterm


def ray_connects(*, stopped: bool) -> None:
    """What `ray.init` does to SIGTERM; and a signal that arrives meanwhile."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
    if stopped:
        signal.raise_signal(signal.SIGTERM)


def test_a_connection_to_ray_leaves_sigterm_to_the_command():
    with sigterm_as_interrupt() as termination:
        handler = signal.getsignal(signal.SIGTERM)
        with _own_sigterm():
            ray_connects(stopped=False)
        assert signal.getsignal(signal.SIGTERM) is handler
        with pytest.raises(KeyboardInterrupt), _own_sigterm():
            ray_connects(stopped=True)
        assert termination.received
        assert signal.getsignal(signal.SIGTERM) is handler


def test_another_exit_is_passed_on():
    with pytest.raises(SystemExit, match="3"), _own_sigterm():
        sys.exit(3)
