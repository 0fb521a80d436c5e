"""`nas jobs`, `nas logs`, `nas stop`: the jobs of a cluster, what they print, and their end."""

import asyncio
import time
from collections.abc import Iterator

from nas.errors import InputError, WorkFailed
from nas.launch.jobs.client import Cluster
from nas.launch.jobs.job import Job, find_job, list_jobs

_SECONDS_BETWEEN_LOOKS = 1.0

_SECONDS_TO_STOP = 90.0


def jobs(address: str) -> list[Job]:
    """The jobs that `nas submit` sent to a cluster, the newest first.

    Raises:
        InputError: the address, or the token.
    """
    return list_jobs(Cluster(address))


def logs(name: str, *, address: str, follow: bool = False) -> Iterator[str]:
    """What a job has printed, in pieces; with `follow`, until it ends.

    Raises:
        InputError: the address, the token, or no such job. WorkFailed: the connection was lost; the job goes on.
    """
    cluster = Cluster(address)
    find_job(cluster, name)
    if not follow:
        yield cluster.log(name)
        return
    yield from _follow(cluster, name)


def wait(name: str, *, address: str, seconds: float | None = None) -> Job:
    """A job when it has ended, or after so many seconds."""
    cluster = Cluster(address)
    start = time.monotonic()
    while not (job := find_job(cluster, name)).ended:
        if seconds is not None and time.monotonic() - start > seconds:
            break
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return job


def stop(name: str, *, address: str) -> Job:
    """End a job, with all that it runs on the cluster; what it has stored stays.

    Raises:
        InputError: the address, the token, or no such job.
    """
    cluster = Cluster(address)
    if not find_job(cluster, name).ended:
        cluster.stop(name)
    return wait(name, address=address, seconds=_SECONDS_TO_STOP)


def _follow(cluster: Cluster, name: str) -> Iterator[str]:
    # Ray's stream answers only when the job has been placed on a machine.
    while not (job := find_job(cluster, name)).ended and job.status == "pending":
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    if job.ended:
        yield cluster.log(name)
        return
    stream = cluster.tail(name)

    async def next_piece() -> str | None:
        return await anext(stream, None)

    with asyncio.Runner() as runner:
        try:
            while (piece := runner.run(next_piece())) is not None:
                yield piece
        except (InputError, WorkFailed) as error:
            raise WorkFailed(f"{error}; the job still runs: nas logs {name} --follow") from error
