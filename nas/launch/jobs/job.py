"""The state of a job that `nas submit` sent to a cluster."""

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from nas.errors import InputError
from nas.launch.jobs.client import Cluster
from nas.launch.jobs.failure import explain

Status = Literal["pending", "running", "succeeded", "failed", "stopped"]

EXIT_STOPPED = 130

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

_RECIPE, _RUN = "nas_recipe", "nas_run"
"""Keys of the metadata that are stored with a job."""


@dataclass(frozen=True)
class Job:
    """One job.

    Args:
        name: the job's name on the cluster.
        run: the URI of its run folder in the storage.
        recipe: the recipe, as it was submitted.
        started: time of the start, in ISO 8601.
        seconds: time since the start, until the job's end.
        cause: why it failed.
        exit_status: exit status of its command; None while it runs.
    """

    name: str
    run: str
    recipe: str
    status: Status
    started: str | None = None
    seconds: float | None = None
    cause: str | None = None
    exit_status: int | None = None

    @property
    def ended(self) -> bool:
        return self.exit_status is not None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def list_jobs(cluster: Cluster) -> list[Job]:
    """The jobs that `nas submit` sent to a cluster, the newest first; other jobs are ignored."""
    known = [info for info in cluster.jobs() if _RUN in (info.metadata or {})]
    return [_job(info) for info in sorted(known, key=lambda info: info.start_time or 0, reverse=True)]


def find_job(cluster: Cluster, name: str) -> Job:
    """A job by name.

    Raises:
        InputError: there is none, or `nas submit` did not send it.
    """
    info = cluster.info(check_name(name))
    if _RUN not in (info.metadata or {}):
        raise InputError(
            f"{cluster.address}: the job {name} was not submitted by nas submit; nas jobs lists those that were"
        )
    return _job(info)


def metadata(recipe: str, run: str) -> dict[str, str]:
    return {_RECIPE: recipe, _RUN: run}


def check_name(name: str) -> str:
    """Return a valid name of a job or run.

    Raises:
        InputError: the name is empty, too long, or has characters that are not allowed in paths.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is not a name for a job: use up to 100 letters, digits, '.', '-' and '_'")
    return name


def _job(info: Any) -> Job:
    status = info.status.value.lower()
    exit_status, cause = None, None
    if status == "succeeded":
        exit_status = 0
    elif status == "stopped":
        exit_status, cause = EXIT_STOPPED, "it was stopped"
    elif status == "failed":
        failure = explain(info)
        exit_status, cause = failure.exit_status, failure.cause
    return Job(
        name=info.submission_id,
        run=info.metadata[_RUN],
        recipe=info.metadata.get(_RECIPE, ""),
        status=status,
        started=_time(info.start_time),
        seconds=_seconds(info),
        cause=cause,
        exit_status=exit_status,
    )


def _time(milliseconds: int | None) -> str | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds") if milliseconds else None


def _seconds(info: Any) -> float | None:
    if not info.start_time:
        return None
    end = info.end_time or datetime.now(UTC).timestamp() * 1000
    return float(round((end - info.start_time) / 1000, 1))
