"""How a trial ended: ``result.json`` or ``failure.json`` in its folder."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt

from nas.errors import InputError, StorageFailed, WorkFailed, in_one_line, machine_failure
from nas.files import read_record, write_json_atomically
from nas.run.front import Point

Cause = Literal["input", "work", "machine", "error"]
"""The cause of a failure: the input (recipe or data), the training (such as a loss that is NaN), the machine, a bug."""


class TrialResult(BaseModel):
    """The trees of a finished trial; none if the scheduler stopped it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    status: Literal["done", "stopped"] = "done"
    points: tuple[Point, ...] = ()

    @property
    def best(self) -> Point | None:
        """The point that the search chose without a budget if there is one, else the point with the highest quality.

        None without points, or if they are withheld.
        """
        counted = (point for point in self.points if point.withheld is None)
        return max(counted, key=lambda point: (point.budget is None, point.quality.value), default=None)


class TrialFailure(BaseModel):
    """Why a trial has no result, in one line, and how often it was tried."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    cause: Cause
    reason: str
    num_attempts: PositiveInt = 1


Outcome = TrialResult | TrialFailure


def read_outcome(folder: Path) -> Outcome | None:
    """The outcome of the trial in a folder; None while it is not finished.

    Raises:
        InputError: the record is malformed.
    """
    kinds: tuple[tuple[str, type[TrialResult] | type[TrialFailure]], ...] = (
        ("result.json", TrialResult),
        ("failure.json", TrialFailure),
    )
    for name, kind in kinds:
        path = folder / name
        if path.is_file():
            return read_record(path, kind)
    return None


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Record how a trial ended; a result takes the place of an earlier failure."""
    if isinstance(outcome, TrialResult):
        write_json_atomically(folder / "result.json", outcome.model_dump())
        (folder / "failure.json").unlink(missing_ok=True)
    else:
        write_json_atomically(folder / "failure.json", outcome.model_dump())


def describe_failure(error: BaseException) -> tuple[Cause, str]:
    """The cause of an exception, and its message in one line."""
    if isinstance(error, InputError):
        return "input", str(error)
    if isinstance(error, StorageFailed):
        return "machine", str(error)
    if isinstance(error, WorkFailed):
        return "work", str(error)
    if (reason := machine_failure(error)) is not None:
        return "machine", reason
    return "error", in_one_line(error)
