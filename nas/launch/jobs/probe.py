"""Script that a job runs on a cluster: print its version of Python, and which requirements (arguments) it lacks.

It imports nothing from this project, and works with any Python 3 that a cluster may have.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib import metadata


def missing(requirements: list[str]) -> list[str]:
    """Describe requirements that are not installed, or are installed in another version."""
    # ray requires packaging, so a cluster has it.
    from packaging.requirements import Requirement

    found = []
    for text in requirements:
        requirement = Requirement(text)
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found.append(f"no {requirement.name}")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{requirement.name} {version}, and {text} is needed")
    return found


if __name__ == "__main__":
    print(json.dumps({"python": platform.python_version(), "missing": missing(sys.argv[1:])}))
