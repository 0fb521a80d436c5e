"""`nas jobs`, `nas logs`, `nas stop`: list the jobs of a cluster, read their output, stop them."""

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
        InputError: a bad address or token.
    """
    return list_jobs(Cluster(address))


def logs(name: str, *, address: str, follow: bool = False) -> Iterator[str]:
    """The output of a job, in pieces; with `follow`, until the job ends.

    Raises:
        InputError: a bad address or token, or no such job. WorkFailed: the connection was lost; the job still runs.
    """
    cluster = Cluster(address)
    find_job(cluster, name)
    if not follow:
        yield cluster.log(name)
        return
    yield from _follow(cluster, name)


def wait(name: str, *, address: str, seconds: float | None = None) -> Job:
    """Wait until a job ends, for at most so many seconds; returns its state."""
    cluster = Cluster(address)
    start = time.monotonic()
    while not (job := find_job(cluster, name)).ended:
        if seconds is not None and time.monotonic() - start > seconds:
            break
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return job


def stop(name: str, *, address: str) -> Job:
    """Stop a job with all its processes on the cluster; the files that it has stored stay.

    Raises:
        InputError: a bad address or token, or no such job.
    """
    cluster = Cluster(address)
    if not find_job(cluster, name).ended:
        cluster.stop(name)
    return wait(name, address=address, seconds=_SECONDS_TO_STOP)


def _follow(cluster: Cluster, name: str) -> Iterator[str]:
    # Ray's stream of the output fails until the job has been placed on a machine.
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
