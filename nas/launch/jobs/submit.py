"""`nas submit`: send a search, a retraining or a comparison to a cluster as a job."""

import secrets
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import InputError
from nas.launch.filesystem import require_uri
from nas.launch.jobs.client import Cluster
from nas.launch.jobs.command import Order, Verb, entrypoint
from nas.launch.jobs.environment import EnvironmentName, choose, runtime_env
from nas.launch.jobs.job import Job, check_name, find_job, list_jobs, metadata
from nas.launch.jobs.packing import MAX_BYTES, Package, pack
from nas.tree import read_tree

if TYPE_CHECKING:
    from nas.recipe import Experiment


def submit(
    recipe: str | Path,
    *,
    address: str,
    storage: str,
    verb: Verb = "search",
    run: str | None = None,
    tree: str | None = None,
    start: str | None = None,
    seed: int | None = None,
    changes: Mapping[str, Any] | None = None,
    name: str | None = None,
    resume: str | None = None,
    environment: EnvironmentName = "auto",
    max_bytes: int = MAX_BYTES,
    on_package: Callable[[Package], None] = lambda _: None,
) -> Job:
    """Submit a search, a retraining or a comparison to a Ray cluster, and return without waiting for its end.

    The job takes along the recipe, the local modules it imports and this project's code (`preview` lists the files). It
    runs on the cluster and keeps its run folder in the storage at ``<storage>/<run>``; `fetch` copies it. A retraining
    or comparison that was lost continues when it is submitted again with the same ``run``.

    Args:
        recipe: a recipe file.
        address: the cluster's dashboard, ``http://head:8265``. If the cluster needs a token, it is taken from
            ``RAY_AUTH_TOKEN``, the file that ``RAY_AUTH_TOKEN_PATH`` names, or ``~/.ray/auth_token``.
        storage: a URI that all machines of the cluster reach: ``file:///shared/runs``, ``s3://bucket/runs``, ...
        verb: "search", "retrain" or "compare".
        run: the name of the stored run to retrain a tree of, or to compare; a retraining without it begins a run.
        tree, start, seed: options of a retraining, as in `nas.retrain`; a tree file is sent along.
        changes: fields to change, by dotted name.
        name: name of the job and its run; by default made from the recipe's name and the time.
        resume: the name of a run in the storage whose search is continued, on this cluster or another.
        environment: "installed" if the machines have all packages for a search, "constraints" if pip has to install
            them for this job, in the versions of tools/constraints.txt; "auto" asks the cluster, which takes seconds.
        max_bytes: limit for the files that the job takes along.
        on_package: called with these files before anything is sent.

    Raises:
        InputError: a bad recipe, change, name, storage or address; a token that is missing or refused; a package that
            is too large; another job works on the run. WorkFailed: the cluster did not take it.
    """
    from nas.run import plain_changes

    order = Order(verb, run, resume, tree, start, seed)
    package, experiment = _package(Path(recipe), order, changes, max_bytes)
    require_uri(storage)
    run, name = _names(Path(recipe), name, order)
    cluster, place = Cluster(address), f"{storage.rstrip('/')}/{run}"
    if busy := [job.name for job in list_jobs(cluster) if job.run == place and not job.ended and job.name != name]:
        raise InputError(f"{place}: the job {busy[0]} works on this run; wait for its end, or nas stop {busy[0]}")
    on_package(package)
    with tempfile.TemporaryDirectory(prefix="nas-submit-") as folder:
        package.write(Path(folder))
        chosen = choose(cluster, Path(folder), name) if environment == "auto" else environment
        cluster.submit(
            name=name,
            entrypoint=entrypoint(
                order,
                recipe=package.recipe,
                tree=package.tree or tree,
                folder=f"jobs/{name}/{run}",
                storage=storage,
                changes=plain_changes(changes or {}),
            ),
            runtime_env=runtime_env(Path(folder), chosen),
            metadata=metadata(str(recipe), place),
            reserved=None if verb == "search" else _reserved(experiment),
        )
    return find_job(cluster, name)


def preview(
    recipe: str | Path,
    *,
    verb: Verb = "search",
    run: str | None = None,
    tree: str | None = None,
    start: str | None = None,
    seed: int | None = None,
    changes: Mapping[str, Any] | None = None,
    resume: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Package:
    """The files that `submit` would send with these arguments; no cluster is contacted.

    Raises:
        InputError: a bad recipe or change, or a package that is too large.
    """
    return _package(Path(recipe), Order(verb, run, resume, tree, start, seed), changes, max_bytes)[0]


def _package(
    recipe: Path, order: Order, changes: Mapping[str, Any] | None, max_bytes: int
) -> tuple[Package, "Experiment"]:
    # Imported here: other functions of this package need no torch, and are seconds faster without it.
    from nas.recipe import call_recipe, without_data

    order.check()
    # The data may be on the cluster only.
    experiment, _ = without_data(call_recipe(recipe), changes)
    if order.verb != "search" and experiment.processes > 1:
        raise InputError(
            f"processes={experiment.processes}: a job that trains uses one process; set the recipe's processes to 1"
        )
    if order.tree_file is not None:
        read_tree(order.tree_file)
    return pack(recipe, tree=order.tree_file, max_bytes=max_bytes), experiment


def _reserved(experiment: "Experiment") -> dict[str, float]:
    """The resources of a job that trains by itself: those of a trial. A search reserves none, its trials do."""
    from nas.launch.tuning import trial_resources

    # This machine cannot know whether the cluster has GPUs; device "cuda" or trials.gpus asks for one.
    needed = trial_resources(experiment, ())
    return {"entrypoint_num_cpus": needed.cpus, "entrypoint_num_gpus": needed.gpus}


def _names(recipe: Path, name: str | None, order: Order) -> tuple[str, str]:
    """The names of the run and of the job; they differ if the job works on a stored run."""
    stored = order.stored_run
    if name is not None and stored is not None:
        raise InputError("a job that works on a stored run is named after it: leave `name` out")
    if stored is not None:
        suffix = secrets.token_hex(2) if order.verb == "search" else f"{order.verb}-{secrets.token_hex(2)}"
        return check_name(stored), check_name(f"{stored}-{suffix}")
    if name is None:
        stem = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in recipe.stem).strip("-")
        name = f"{stem or 'job'}-{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return check_name(name), name
