"""The environment of a run: versions, commit, hardware, threads; and the setup of torch's device and threads."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from nas.errors import InputError

_PACKAGES = (
    "branched-nas",
    "torch",
    "numpy",
    "scipy",
    "networkx",
    "fvcore",
    "pydantic",
    "torchmetrics",
    "scikit-learn",
)


def describe_environment(*, seed: int, num_threads: int, device: torch.device) -> dict[str, Any]:
    """The record ``environment.json``: everything beside the recipe that can influence a result."""
    return {
        "schema_version": 1,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "versions": {name: installed_version(name) for name in _PACKAGES},
        "commit": _commit(),
        "cpu": _cpu_name(),
        "num_cores": os.cpu_count(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "num_threads": num_threads,
        "seed": seed,
    }


def resolve_device(name: str) -> torch.device:
    """The device of a name. "auto" is a GPU if there is one; InputError if a named GPU does not exist."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {name!r}: torch sees {torch.cuda.device_count()} GPUs; use 'auto' or 'cpu'")
    return device


def use_threads(num_threads: int | None) -> int:
    """Set torch's threads (its own default if None) and return their number."""
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    return torch.get_num_threads()


def installed_version(package: str) -> str | None:
    """None if the package is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the project's checkout, with a plus if it has uncommitted changes; None without a checkout."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        commit = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run(
            ["git", "-C", folder, "status", "--porcelain"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+" if changes.stdout.strip() else "")


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
