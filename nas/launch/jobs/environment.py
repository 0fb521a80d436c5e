"""The Python environment of a job: the cluster's packages, or packages that pip installs for the job."""

import hashlib
import json
import secrets
import shlex
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from nas.errors import InputError, WorkFailed
from nas.launch.jobs.client import Cluster
from nas.launch.jobs.failure import explain

EnvironmentName = Literal["auto", "installed", "constraints"]

CONSTRAINTS = "tools/constraints.txt"

MIN_PYTHON = (3, 11)

_SECONDS_BETWEEN_LOOKS = 0.5


def requirements() -> list[str]:
    """The packages that a search on a cluster needs: the project's requirements and its extra "ray", without ray.

    Ray itself must be the version that the cluster runs.
    """
    try:
        stated = metadata.requires("branched-nas") or []
    except metadata.PackageNotFoundError:
        raise InputError("branched-nas is not installed, so its requirements are unknown: pip install -e .") from None
    # ray requires packaging.
    from packaging.requirements import Requirement

    needed = []
    for requirement in map(Requirement, stated):
        asked = requirement.marker is None or requirement.marker.evaluate({"extra": "ray"})
        if asked and requirement.name != "ray":
            requirement.marker = None
            needed.append(str(requirement))
    return needed


def runtime_env(folder: Path, environment: Literal["installed", "constraints"]) -> dict[str, Any]:
    """Ray's runtime environment for a package's folder.

    Raises:
        InputError: the package has no constraints, because the project's checkout is not where nas was imported from.
    """
    described: dict[str, Any] = {
        "working_dir": str(folder),
        # Time to store the last files when a job is stopped.
        "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": "60", "PYTHONUNBUFFERED": "1"},
    }
    if environment == "constraints":
        if not (folder / CONSTRAINTS).is_file():
            raise InputError(
                f"there is no {CONSTRAINTS} beside the installed nas; "
                "submit from a checkout, or with `environment=installed`"
            )
        digest = hashlib.sha256((folder / CONSTRAINTS).read_bytes()).hexdigest()
        constraints = [
            # Ray caches environments by this list, so the digest makes changed constraints a new one.
            f"# {digest}",
            f"--constraint ${{RAY_RUNTIME_ENV_CREATE_WORKING_DIR}}/{CONSTRAINTS}",
        ]
        described["pip"] = {"packages": [*constraints, *requirements()], "pip_check": False}
    return described


def choose(cluster: Cluster, folder: Path, name: str) -> Literal["installed", "constraints"]:
    """Find out, with a job that takes seconds, whether the cluster has all packages for a search.

    Raises:
        InputError: the cluster's Python is too old. WorkFailed: the job failed.
    """
    # A new name each time, because an earlier probe may have been interrupted.
    answer = _ask(cluster, folder, f"{name}-probe-{secrets.token_hex(4)}")
    major, minor = (int(part) for part in answer["python"].split(".")[:2])
    if (major, minor) < MIN_PYTHON:
        raise InputError(
            f"{cluster.address}: runs Python {answer['python']}, and the project needs {MIN_PYTHON[0]}.{MIN_PYTHON[1]} "
            "or later; no environment of a job changes that"
        )
    return "constraints" if answer["missing"] else "installed"


def _ask(cluster: Cluster, folder: Path, name: str) -> dict[str, Any]:
    cluster.submit(
        name=name,
        # As a file: importing it from its package would need the very packages that it looks for.
        entrypoint=f"python nas/launch/jobs/probe.py {shlex.join(requirements())}",
        runtime_env=runtime_env(folder, "installed"),
    )
    while not (info := cluster.info(name)).status.is_terminal():
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    answers = [line for line in cluster.log(name).splitlines() if line.startswith('{"python"')]
    cluster.forget(name)
    if not answers:
        raise WorkFailed(f"{cluster.address}: its installed packages could not be listed: {explain(info).cause}")
    answer: dict[str, Any] = json.loads(answers[-1])
    return answer
