"""The commands for jobs on a cluster: submit, jobs, logs, stop, fetch."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from nas.cli import tables
from nas.cli.app import _changes, _console, _print_json
from nas.cli.options import JsonOption, RecipeArg, SetOption
from nas.cli.progress import quiet_output
from nas.errors import WorkFailed

if TYPE_CHECKING:
    from nas.distributed.jobs import Job

jobs_app = typer.Typer()

NameArg = Annotated[str, typer.Argument(metavar="NAME", help="A job's name.")]
AddressOption = Annotated[
    str,
    typer.Option("--address", envvar="RAY_API_SERVER_ADDRESS", help="The cluster's dashboard: http://head:8265."),
]
FollowOption = Annotated[bool, typer.Option("--follow", help="Print what it prints until it ends; end as it ends.")]


@jobs_app.command()
def submit(
    recipe: RecipeArg,
    address: AddressOption,
    storage: Annotated[str, typer.Option("--storage", help="Where the run is kept: file:///shared/runs, s3://...")],
    set_: SetOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the job and its run.")] = None,
    resume: Annotated[str | None, typer.Option("--resume", metavar="RUN", help="Go on with a stored run.")] = None,
    environment: Annotated[
        Literal["auto", "installed", "constraints"],
        typer.Option("--environment", help="What the cluster has, or what pip installs for the job."),
    ] = "auto",
    max_size: Annotated[int, typer.Option("--max-size", min=1, help="MiB that the job may take along.")] = 32,
    follow: FollowOption = False,
    as_json: JsonOption = False,
) -> None:
    """Search on a cluster; the run folder is kept in the storage."""
    from nas.distributed.jobs import submit as run_submit

    with _plain_failures():
        with quiet_output():
            job = run_submit(
                recipe,
                address=address,
                storage=storage,
                changes=_changes(set_),
                name=name,
                resume=resume,
                environment=environment,
                max_bytes=max_size * 2**20,
            )
        if not as_json:
            print(job.name, flush=True)
        if follow:
            job = _follow(job.name, address, sys.stderr if as_json else sys.stdout)
        if as_json:
            _print_json(job.to_dict())
        if follow:
            _end_as(job)


@jobs_app.command()
def jobs(address: AddressOption, as_json: JsonOption = False) -> None:
    """List the jobs that were submitted to a cluster."""
    from nas.distributed.jobs import jobs as list_jobs

    with _plain_failures():
        found = list_jobs(address)
    if as_json:
        _print_json([job.to_dict() for job in found])
    elif not found:
        print("no jobs")
    else:
        _console().print(tables.jobs_table(found))


@jobs_app.command()
def logs(name: NameArg, address: AddressOption, follow: FollowOption = False) -> None:
    """Print the output of a job."""
    from nas.distributed.jobs import logs as read_logs

    with _plain_failures():
        if follow:
            _end_as(_follow(name, address, sys.stdout))
        for text in read_logs(name, address=address):
            print(text, end="")


@jobs_app.command()
def stop(name: NameArg, address: AddressOption, as_json: JsonOption = False) -> None:
    """Stop a job; its run stays in the storage."""
    from nas.distributed.jobs import stop as stop_job

    with _plain_failures():
        job = stop_job(name, address=address)
    if as_json:
        _print_json(job.to_dict())
    else:
        print(f"{job.name}: {job.status}; its run is {job.run}")


@jobs_app.command()
def fetch(
    run: Annotated[str, typer.Argument(metavar="NAME|URI", help="The name of a run, or its full URI.")],
    out: Annotated[
        Path, typer.Option("--out", help="The folder to copy into: new, empty, or fetched from the same run before.")
    ],
    storage: Annotated[str | None, typer.Option("--storage", help="Where the run is kept.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a run folder from the storage to this machine.

    Repeat the command to continue, or to bring what the search has added.
    """
    from nas.distributed.jobs import fetch as fetch_run

    with _plain_failures():
        folder = fetch_run(run, storage=storage, out=out)
    if as_json:
        _print_json({"run": str(folder.path), "finished": folder.finished})
    else:
        print(f"run folder: {folder.path}{'' if folder.finished else ' (its search has not ended: fetch again)'}")


def _follow(name: str, address: str, stream: TextIO) -> "Job":
    from nas.distributed.jobs import logs as read_logs
    from nas.distributed.jobs import wait

    try:
        if wait(name, address=address, seconds=0).status == "pending":
            print(f"{name}: the cluster sets up its environment", file=sys.stderr)
        for text in read_logs(name, address=address, follow=True):
            print(text, end="", file=stream, flush=True)
        return wait(name, address=address)
    except KeyboardInterrupt:
        print(f"the job goes on: nas logs {name} --follow, nas stop {name}", file=sys.stderr)
        raise typer.Exit(130) from None


def _end_as(job: "Job") -> None:
    """End with a job's exit status, saying why."""
    if job.exit_status:
        print(f"error: job {job.name}: {job.cause}", file=sys.stderr)
    raise typer.Exit(job.exit_status or 0)


@contextmanager
def _plain_failures() -> Iterator[None]:
    """Without the promise that the commands which train can make: here is nothing to go on with by --resume."""
    try:
        yield
    except WorkFailed as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(1) from None
