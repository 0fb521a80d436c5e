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
    found = []
    for text in requirements:
        name, specifier = _split(text)
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(f"no {name}")
            continue
        if specifier and not _holds(specifier, version):
            found.append(f"{name} {version}, and {text} is needed")
    return found


def _split(text: str) -> tuple[str, str]:
    """The name and the versions of a requirement, without its extras."""
    end = min((text.index(letter) for letter in "[<>=!~ " if letter in text), default=len(text))
    return text[:end], text[end:].rpartition("]")[2].strip()


def _holds(specifier: str, version: str) -> bool:
    # ray requires packaging, so a cluster has it.
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier).contains(version, prereleases=True)


if __name__ == "__main__":
    print(json.dumps({"python": platform.python_version(), "missing": missing(sys.argv[1:])}))
