"""Explain in one line why a job failed, from Ray's information, which ends with the job's last output."""

import re
from dataclasses import dataclass
from typing import Any

_PIP_ERROR = re.compile(r"^\s*(?:pip: )?(?:error|ERROR):\s*(.+)$", re.MULTILINE)

_OUR_ERROR = re.compile(r"^error: (.+)$", re.MULTILINE)

_LONGEST = 300


@dataclass(frozen=True)
class Failure:
    """What went wrong, and the exit status for a command that waits for the job."""

    cause: str
    exit_status: int


def explain(info: Any) -> Failure:
    """The failure of a job that has ended without success, from Ray's information about it."""
    kind, message = str(info.error_type or ""), str(info.message or "")
    if kind == "RUNTIME_ENV_SETUP_FAILURE":
        return Failure(f"its environment could not be set up: {_of_the_environment(message)}", 1)
    if kind == "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE" or kind == "JOB_SUPERVISOR_ACTOR_START_TIMEOUT":
        return Failure(f"the cluster found no place to start it: {_first_line(message)}", 1)
    if kind == "JOB_SUPERVISOR_ACTOR_DIED":
        return Failure("the node that it was started from was lost; continue with nas submit RECIPE --resume RUN", 1)
    if info.driver_exit_code is None:
        return Failure(_first_line(message), 1)
    said = _OUR_ERROR.findall(message)
    if said:
        return Failure(_shortened(said[-1]) + _hint(said[-1]), info.driver_exit_code)
    if info.driver_exit_code < 0 or info.driver_exit_code == 137:
        signal = -info.driver_exit_code if info.driver_exit_code < 0 else 9
        return Failure(f"it was killed (signal {signal}), perhaps for memory", 1)
    return Failure(f"it ended with exit status {info.driver_exit_code}: {_last_line(message)}", info.driver_exit_code)


def _of_the_environment(message: str) -> str:
    """pip's errors without the lists of all versions, or else the last line of Ray's message."""
    errors = [error for error in _PIP_ERROR.findall(message) if not error.startswith("Ignored the following")]
    errors = [re.sub(r" \(from versions: .*?\)", "", error) for error in errors]
    return "; ".join(_shortened(error) for error in errors[:3]) or _last_line(message)


def _hint(error: str) -> str:
    if "ModuleNotFoundError" not in error:
        return ""
    return " (it is neither below the project's root, and so packed, nor installed on the cluster)"


def _first_line(text: str) -> str:
    return _shortened((text.strip().splitlines() or ["no reason given"])[0].strip())


def _last_line(text: str) -> str:
    return _shortened((text.strip().splitlines() or ["it printed nothing"])[-1].strip())


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
