"""The commands submit, jobs, logs, stop and fetch, for jobs on a cluster."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO, get_args

import typer

from nas.cli import tables
from nas.cli.app import _changes, _console, _print_json, _printable
from nas.cli.options import JsonOption, SetOption
from nas.cli.progress import quiet_output
from nas.errors import InputError

if TYPE_CHECKING:
    from nas.launch.jobs import Job, Package

jobs_app = typer.Typer()

NameArg = Annotated[str, typer.Argument(metavar="NAME", help="The name of a job.")]
_ADDRESS = typer.Option(
    "--address", envvar="RAY_API_SERVER_ADDRESS", help="The cluster's dashboard, e.g. http://head:8265."
)
AddressOption = Annotated[str, _ADDRESS]
FollowOption = Annotated[
    bool, typer.Option("--follow", help="Print the job's output until it ends; exit with its status.")
]


@jobs_app.command()
def submit(
    words: Annotated[
        list[str], typer.Argument(metavar="[VERB] RECIPE", help="Verbs: search (default), retrain, compare.")
    ],
    address: Annotated[str | None, _ADDRESS] = None,
    storage: Annotated[
        str | None, typer.Option("--storage", help="The URI where the run is kept: file:///shared/runs, s3://...")
    ] = None,
    changes: SetOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the job and its run.")] = None,
    resume: Annotated[str | None, typer.Option("--resume", metavar="RUN", help="Continue a stored search.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="The stored run to retrain or compare.")] = None,
    tree: Annotated[str | None, typer.Option("--tree", metavar="ID|FILE", help="The tree to retrain.")] = None,
    start: Annotated[
        Literal["fresh", "pretrained", "inherited"] | None, typer.Option("--from", help="Which weights to start from.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed of the retraining.")] = None,
    environment: Annotated[
        Literal["auto", "installed", "constraints"],
        typer.Option("--environment", help="Use the cluster's packages, or let pip install them for the job."),
    ] = "auto",
    max_size: Annotated[int, typer.Option("--max-size", min=1, help="How many MiB the job may take along.")] = 32,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be sent, and send nothing.")] = False,
    follow: FollowOption = False,
    as_json: JsonOption = False,
) -> None:
    """Search, retrain or compare on a cluster; the run folder is kept in the storage."""
    from nas.launch.jobs import preview
    from nas.launch.jobs import submit as run_submit

    verb, recipe = _verb_and_recipe(words)
    asked = {"verb": verb, "run": run, "tree": tree, "start": start, "seed": seed, "changes": _changes(changes)}
    if dry_run:
        with quiet_output():
            package = preview(recipe, **asked, resume=resume, max_bytes=max_size * 2**20)
        if as_json:
            _print_json(package.to_dict())
        else:
            print("\n".join(map(_printable, tables.package_lines(package))))
        return
    if storage is None:
        raise InputError("--storage is missing: the URI where the run is kept (file:///shared/runs, s3://...)")
    with quiet_output():
        job = run_submit(
            recipe,
            **asked,
            address=_required(address),
            storage=storage,
            name=name,
            resume=resume,
            environment=environment,
            max_bytes=max_size * 2**20,
            on_package=_tell,
        )
    if not as_json:
        print(job.name, flush=True)
    if follow:
        job = _follow(job.name, _required(address), sys.stderr if as_json else sys.stdout)
    if as_json:
        _print_json(job.to_dict())
    if follow:
        _end_as(job)


@jobs_app.command()
def jobs(address: AddressOption, as_json: JsonOption = False) -> None:
    """List the jobs that were submitted to a cluster."""
    from nas.launch.jobs import jobs as list_jobs

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
    from nas.launch.jobs import logs as read_logs

    if follow:
        _end_as(_follow(name, address, sys.stdout))
    for text in read_logs(name, address=address):
        print(text, end="")


@jobs_app.command()
def stop(name: NameArg, address: AddressOption, as_json: JsonOption = False) -> None:
    """Stop a job; its run stays in the storage."""
    from nas.launch.jobs import stop as stop_job

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
    storage: Annotated[str | None, typer.Option("--storage", help="The URI where the run is kept.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a run folder from the storage to this machine.

    Repeat the command to continue an interrupted copy, or to get what the search has added.
    """
    from nas.launch.jobs import fetch as fetch_run

    folder = fetch_run(run, storage=storage, out=out)
    if as_json:
        _print_json({"run": str(folder.path), "finished": folder.finished})
    else:
        print(f"run folder: {folder.path}{'' if folder.finished else ' (its search has not ended: fetch again)'}")


def _verb_and_recipe(words: list[str]) -> tuple[Any, Path]:
    from nas.launch.jobs.command import Verb

    if len(words) > 2 or (len(words) == 2 and words[0] not in get_args(Verb)):
        raise InputError(f"expected a recipe, or one of {', '.join(get_args(Verb))} and a recipe; found {words}")
    return (words[0] if len(words) == 2 else "search"), Path(words[-1])


def _required(address: str | None) -> str:
    if address is None:
        raise InputError("--address is missing: the cluster's dashboard, e.g. http://head:8265")
    return address


def _tell(package: "Package") -> None:
    """Print to standard error how much is sent, and what is left out."""
    for line in [f"sends {tables.package_summary(package)} (--dry-run lists them)", *package.notes]:
        print(_printable(line), file=sys.stderr)


def _follow(name: str, address: str, stream: TextIO) -> "Job":
    from nas.launch.jobs import logs as read_logs
    from nas.launch.jobs import wait

    try:
        if wait(name, address=address, seconds=0).status == "pending":
            print(f"{name}: the cluster sets up its environment", file=sys.stderr)
        for text in read_logs(name, address=address, follow=True):
            print(text, end="", file=stream, flush=True)
        return wait(name, address=address)
    except KeyboardInterrupt:
        print(f"the job still runs: nas logs {name} --follow, nas stop {name}", file=sys.stderr)
        raise typer.Exit(130) from None


def _end_as(job: "Job") -> None:
    """Exit with a job's exit status, and print why it failed."""
    if job.exit_status:
        print(f"error: job {job.name}: {job.cause}", file=sys.stderr)
    raise typer.Exit(job.exit_status or 0)
