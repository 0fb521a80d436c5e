"""Calling a function in a process of its own, which is ended when its time is over.

That stops what nothing within a process can: a loop in a library's native code.
"""

import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from nas.errors import InputError, WorkFailed, machine_failure

Result = TypeVar("Result")

_SERVE = "from nas.commands.time_limit import serve; serve()"
_READY = b"."
_ORPHANED_SECONDS = 10.0
"""How much longer than its limit a process may live if the one that started it is gone."""


def call_within(seconds: float, function: Callable[..., Result], **arguments: Any) -> Result:
    """The result of ``function(**arguments)``, from another process.

    Args:
        seconds: for the call; the start of the process does not count.
        function: of a module, as it is found there by name; arguments and result can be pickled.

    Raises:
        InputError, WorkFailed: what the function raises.
        WorkFailed: the time is over, or the process was killed.
    """
    if not 0 < seconds < float("inf"):
        raise InputError(f"--time-limit must be a number of seconds above 0; found {seconds:g}")
    request = pickle.dumps((seconds, function, arguments))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    child = subprocess.Popen(
        [sys.executable, "-c", _SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        # Ctrl-C reaches this process only, which then ends the other one.
        start_new_session=True,
    )
    assert child.stdout is not None
    try:
        child.stdout.read(len(_READY))
        response, _ = child.communicate(request, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise WorkFailed(f"stopped after {seconds:g} s, the --time-limit; files that were written are whole") from None
    finally:
        child.kill()
        child.wait()
    if not response:
        raise WorkFailed(f"the process that worked ended with status {child.returncode}; see above, or its memory")
    done, value = pickle.loads(response)
    if not done:
        raise value
    result: Result = value
    return result


def serve() -> None:
    """The other process: reads a call from standard input, and writes what came of it to standard output."""
    # Whatever else prints, native code included, goes to standard error.
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    responses.write(_READY)
    responses.flush()
    seconds, function, arguments = pickle.load(sys.stdin.buffer)
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds + _ORPHANED_SECONDS)
    try:
        response: tuple[bool, Any] = True, function(**arguments)
    except (InputError, WorkFailed) as error:
        response = False, type(error)(str(error))
    except Exception as error:
        failure = machine_failure(error)
        if failure is None:
            traceback.print_exc()
        response = False, WorkFailed(failure or f"{type(error).__name__}: {error}")
    pickle.dump(response, responses)
    responses.close()
    # Nothing is left to be done, and threads of native code may be in the way.
    os._exit(0)
