"""How far a run is, from its files alone: for `nas watch`, while another process writes them.

``begun.json`` in the folder of a trial or a training says how many epochs it has, and how many of them were done when
the last command began it; the file's time is that of this beginning. Epochs are the lines of ``metrics.jsonl``. Nothing
here is a record that must be right: a file that is missing, half written or malformed counts as not written yet.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from nas.errors import InputError
from nas.files import read_json, without_nan
from nas.lock import is_held

State = Literal["waiting", "running", "done", "failed", "unfinished"]
"""Of a trial or training; it is "unfinished" if no process works on it."""

_CLOCKS = 1.0
"""Seconds by which the times of files that are written one after the other may be in the wrong order."""
_MOST_WAITING = 1000
"""At most so many trials are listed that have not begun."""
_MOST_BYTES = 2**28
"""At most so much of a file of metrics is read."""


@dataclass(frozen=True)
class Progress:
    """How far one trial or training is.

    Args:
        name: ``trial 0``, or the id of a tree and the name of its training.
        epoch: number of finished epochs.
        num_epochs: number of epochs in all; None if it is not known yet.
        seconds_left: from the mean time of the epochs since it began; None before the first of them.
        record: the last line of ``metrics.jsonl``.
        reason: why it failed.
    """

    name: str
    state: State
    epoch: int = 0
    num_epochs: int | None = None
    seconds_left: float | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class FoundPoint:
    """A tree of the front; ``cost`` counts the run's resource."""

    tree_id: str
    budget: float | None
    cost: float
    quality: float
    measure: str
    recommended: bool


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Args:
        state: "finished" if the last command reached its end; "stopped" if no process writes, and it did not.
        idle: seconds since the progress has changed.
        seconds_left: of all trials, from the mean time of their epochs; None where it is not known.
        resource: the cost that counts.
        trials: all planned trials, and those that have begun.
        trainings: those in ``retrained/``, and those that a measured search works on.
        front: its non-dominated trees, cheapest first; None until the search is finished.
    """

    path: Path
    state: Literal["running", "finished", "failed", "stopped"]
    idle: float
    seconds_left: float | None
    resource: str
    trials: tuple[Progress, ...]
    trainings: tuple[Progress, ...]
    front: tuple[FoundPoint, ...] | None

    def to_dict(self) -> dict[str, Any]:
        plain: dict[str, Any] = without_nan({**asdict(self), "path": str(self.path)})
        return plain


def read_progress(path: Path) -> RunProgress:
    """The progress of a run; InputError if there is none."""
    if not path.is_dir():
        raise InputError(f"{path}: no such run folder")
    if (record := _read(path / "experiment.json")) is None:
        raise InputError(f"{path}: not a run folder, it has no experiment.json")
    lock = path / ".lock"
    since = _changed(lock) if is_held(lock) else None
    numbers = {int(folder.name): folder for folder in path.glob("trials/*") if folder.name.isdecimal()}
    trainings = sorted((_Work(each, since) for each in path.glob("retrained/*/*")), key=lambda work: work.begun)
    measured = [_Work(each, since) for each in path.glob("trials/*/trainings/*/*")]
    only_retrained = not numbers and bool(trainings)
    planned = range(0 if only_retrained else _num_trials(record))
    trials = {i: _Work(numbers.get(i, path / "trials" / str(i)), since) for i in sorted({*planned, *numbers})}
    works = [*trials.values(), *trainings, *measured]
    front = _read_front(path / "front.json", resource := _resource(record))
    searched = only_retrained or front is not None
    # Trainings before the front was written are part of the search.
    later = [work for work in trainings if work.begun > _changed(path / "front.json")]
    complete = searched and all(work.state == "done" for work in later[-1:])
    failed = any(work.state == "failed" for work in trials.values())
    return RunProgress(
        path=path,
        state="running" if since is not None else "finished" if complete else "failed" if failed else "stopped",
        idle=max(0.0, time.time() - max([_changed(path / "experiment.json"), *(work.changed for work in works)])),
        seconds_left=_seconds_left(list(trials.values())),
        resource=resource,
        trials=tuple(work.progress(f"trial {i}") for i, work in trials.items()),
        trainings=tuple(
            work.progress(f"{work.folder.parent.name} {work.folder.name}")
            for work in [*trainings, *(work for work in measured if work.state == "running")]
            if work.begun
        ),
        front=front,
    )


class _Work:
    """The folder of a trial or training; ``since`` is the time since which a process holds the run's lock, if any."""

    def __init__(self, folder: Path, since: float | None) -> None:
        self.folder = folder
        self.begun = _changed(folder / "begun.json")
        self.changed = max(self.begun, _changed(folder / "metrics.jsonl"))
        self.of_this_command = since is not None and self.begun >= since - _CLOCKS
        beginning = _read(folder / "begun.json") or {}
        self.num_epochs = _count(beginning.get("num_epochs"))
        self.epochs_before = _count(beginning.get("epochs_done")) or 0

    @cached_property
    def records(self) -> Sequence[Mapping[str, Any]]:
        return list(_lines(self.folder / "metrics.jsonl"))

    @property
    def epochs_since(self) -> int:
        """Number of epochs since the last command began it."""
        return max(0, len(self.records) - self.epochs_before)

    @cached_property
    def state(self) -> State:
        if (self.folder / "result.json").is_file():
            return "done"
        if (self.folder / "failure.json").is_file():
            return "failed"
        if (self.folder / "brief.json").is_file() and len(self.records) == self.num_epochs:
            # A measured search ends a training early, without a result.
            return "done"
        if self.of_this_command:
            return "running"
        return "unfinished" if self.begun else "waiting"

    @property
    def seconds_left(self) -> float | None:
        if self.state != "running" or not self.epochs_since or self.num_epochs is None:
            return None
        return _left((self.changed - self.begun) / self.epochs_since, self.num_epochs - len(self.records), self.changed)

    def progress(self, name: str) -> Progress:
        failure = _read(self.folder / "failure.json") if self.state == "failed" else None
        return Progress(
            name,
            self.state,
            len(self.records),
            self.num_epochs,
            self.seconds_left,
            self.records[-1] if self.records else {},
            "" if failure is None else str(failure.get("reason", "")),
        )


def _seconds_left(trials: Sequence[_Work]) -> float | None:
    """From the mean time of the epochs of this command, in all trials together."""
    mine = [work for work in trials if work.of_this_command]
    num_open = [work for work in trials if work.state in ("running", "waiting")]
    lengths = [work.num_epochs for work in mine if work.num_epochs]
    finished = sum(work.epochs_since for work in mine)
    if not (num_open and lengths and finished):
        return None
    mean = sum(lengths) / len(lengths)
    num_left = sum(max(0.0, (work.num_epochs or mean) - len(work.records)) for work in num_open)
    last = max(work.changed for work in mine)
    return _left((last - min(work.begun for work in mine)) / finished, num_left, last)


def _left(seconds_each: float, num_epochs: float, last: float) -> float:
    """What so many epochs take, less the time since the last one."""
    return max(0.0, seconds_each * num_epochs - max(0.0, time.time() - last))


def _num_trials(record: Mapping[str, Any]) -> int:
    """The number of planned trials (`nas.run.plan_trials`), from the record of an experiment."""
    try:
        settings = record["experiment"]["trials"]
        seeds, most = settings["seeds"], settings["max_trials"]
        total = (len(seeds) if isinstance(seeds, list) else seeds) * max(1, len(settings["budgets"]))
        return int(min(total * settings["num_samples"], _MOST_WAITING if most is None else most, _MOST_WAITING))
    except (LookupError, TypeError, ValueError):
        return 1


def _resource(record: Mapping[str, Any]) -> str:
    try:
        return str(record["experiment"]["goal"]["resource"])
    except (LookupError, TypeError):
        return "macs"


def _read_front(path: Path, resource: str) -> tuple[FoundPoint, ...] | None:
    record = _read(path)
    try:
        if record is None:
            return None
        return tuple(
            FoundPoint(
                Path(point["tree"]).stem,
                None if point["budget"] is None else float(point["budget"]),
                float(point["cost"][resource]),
                float(point["quality"]["value"]),
                str(point["quality"]["measure"]),
                bool(point.get("recommended")),
            )
            for point in record["points"]
            if not point["dominated"]
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """The records of a file with one in each line; a line that is not whole ends them."""
    try:
        with path.open(errors="replace") as file:
            text = file.read(_MOST_BYTES)
    except OSError:
        return
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(record, dict):
            return
        yield record


def _read(path: Path) -> dict[str, Any] | None:
    """The record in a file; None if it is missing or not whole."""
    try:
        record = read_json(path)
    except InputError:
        return None
    return record if isinstance(record, dict) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _changed(path: Path) -> float:
    """The time of a file's last change; 0 if there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
