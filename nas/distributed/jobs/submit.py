"""`nas submit`: a search as a job of a cluster."""

import json
import secrets
import shlex
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from nas.distributed.filesystem import require_uri
from nas.distributed.jobs.client import Cluster
from nas.distributed.jobs.environment import EnvironmentName, choose, runtime_env
from nas.distributed.jobs.job import Job, check_name, find_job, metadata
from nas.distributed.jobs.packing import MAX_BYTES, pack
from nas.errors import InputError


def submit(
    recipe: str | Path,
    *,
    address: str,
    storage: str,
    changes: Mapping[str, Any] | None = None,
    name: str | None = None,
    resume: str | None = None,
    environment: EnvironmentName = "auto",
    max_bytes: int = MAX_BYTES,
) -> Job:
    """Submit a recipe's search to a Ray cluster; returns at once, with the job's name.

    The job takes along the recipe, the local modules it imports and the project's own code, searches on the cluster,
    and keeps its run folder in the storage at ``<storage>/<name>``; `fetch` brings it.

    Args:
        recipe: a recipe file.
        address: of the cluster's dashboard, ``http://head:8265``. If the cluster asks for a token, it is taken from
            ``RAY_AUTH_TOKEN``, the file that ``RAY_AUTH_TOKEN_PATH`` names, or ``~/.ray/auth_token``.
        storage: what all machines of the cluster reach: ``file:///shared/runs``, ``s3://bucket/runs``, ``gs://...``.
        changes: fields to change, by dotted name.
        name: of the job and its run; made up of the recipe's and the time by default.
        resume: the name of a run in the storage that is to be gone on with, on this cluster or another.
        environment: "installed" if the machines have what a search needs, "constraints" if pip is to install it for
            this job, in the versions of tools/constraints.txt; "auto" asks the cluster, which takes seconds.
        max_bytes: what the job may take along.

    Raises:
        InputError: a bad recipe, change, name, storage or address; a token that is missing or refused; a package that
            is too large. WorkFailed: the cluster did not take it.
    """
    # Here, because the package's other functions need no torch, and answer seconds sooner without it.
    from nas.experiment import load_recipe, plain_changes

    recipe = Path(recipe)
    texts = [f"{field}={json.dumps(value)}" for field, value in plain_changes(changes or {}).items()]
    load_recipe(recipe, changes)
    require_uri(storage)
    run, name = _names(recipe, name, resume)
    package = pack(recipe, max_bytes=max_bytes)
    cluster = Cluster(address)
    arguments = [package.recipe, "--address", "auto", "--out", f"jobs/{name}/{run}", "--storage", storage]
    arguments += [part for text in texts for part in ("--set", text)]
    arguments += [] if resume is None else ["--resume"]
    with tempfile.TemporaryDirectory(prefix="nas-submit-") as folder:
        package.write(Path(folder))
        chosen = choose(cluster, Path(folder), name) if environment == "auto" else environment
        cluster.submit(
            name=name,
            entrypoint=f"python -m nas.cli search {shlex.join(arguments)}",
            runtime_env=runtime_env(Path(folder), chosen),
            metadata=metadata(str(recipe), f"{storage.rstrip('/')}/{run}"),
        )
    return find_job(cluster, name)


def _names(recipe: Path, name: str | None, resume: str | None) -> tuple[str, str]:
    """The names of the run and of the job; a job that goes on with a run has a name of its own."""
    if name is not None and resume is not None:
        raise InputError("a job that goes on with a run is named after it: give either a name or a run to resume")
    if resume is not None:
        return check_name(resume), check_name(f"{resume}-{secrets.token_hex(2)}")
    if name is None:
        stem = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in recipe.stem).strip("-")
        name = f"{stem or 'job'}-{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return check_name(name), name
