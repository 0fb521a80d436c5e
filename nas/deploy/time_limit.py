"""Call a function in another process, which is killed when its time is over.

This stops even a loop in the native code of a library, which nothing inside the process can stop.
"""

import importlib
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

_SERVE = "from nas.deploy.time_limit import serve; serve()"
_READY = b"."
_ORPHANED_SECONDS = 10.0
"""If the process that started it is gone, the other process ends itself so long after the limit."""


def call_within(seconds: float, function: Callable[..., Result], **arguments: Any) -> Result:
    """The result of ``function(**arguments)``, computed in another process.

    Args:
        seconds: limit for the call; starting the process does not count.
        function: a function at the top level of a module; its arguments and result can be pickled.

    Raises:
        InputError, WorkFailed: raised by the function.
        WorkFailed: the time is over, or the process was killed.
    """
    if not 0 < seconds < float("inf"):
        raise InputError(f"`time_limit` must be a number of seconds above 0; found {seconds:g}")
    request = pickle.dumps((seconds, function, arguments))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE, function.__module__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        # So Ctrl-C reaches this process only, which then kills the other one.
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        try:
            child.stdout.read(len(_READY))
            response, _ = child.communicate(request, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise WorkFailed(
                f"stopped after {seconds:g} s, the `time_limit`; files that were written are complete"
            ) from None
        finally:
            child.kill()
    if not response:
        raise WorkFailed(f"the process was ended with status {child.returncode}, perhaps because it ran out of memory")
    done, value = pickle.loads(response)
    if not done:
        raise value
    result: Result = value
    return result


def serve() -> None:
    """Run in the other process: read a call from standard input, and write its result to standard output."""
    # All other output, from native code too, goes to standard error.
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # The time limit begins after this import, which may take seconds.
    importlib.import_module(sys.argv[1])
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
    # Without this, threads of native code could keep the process alive.
    os._exit(0)
