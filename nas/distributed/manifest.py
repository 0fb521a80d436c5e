"""The list of files that lies beside them in the storage, and what a list of somebody else's must not say."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas.errors import InputError

NAME = ".manifest.json"

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A file's size in bytes and SHA-256; both are None while the file is being replaced."""

    size: int | None
    sha256: str | None


REPLACED = Entry(None, None)
"""Either the old file or the new one is there, whole."""

Manifest = dict[str, Entry]
"""Files by their path below the folder, with forward slashes."""


def to_bytes(manifest: Mapping[str, Entry]) -> bytes:
    files = {path: {"size": entry.size, "sha256": entry.sha256} for path, entry in sorted(manifest.items())}
    return json.dumps({"schema_version": 1, "files": files}, indent=1).encode()


def from_bytes(data: bytes, place: str) -> Manifest:
    """Read a list of files.

    Raises:
        InputError: it is malformed, or names a path that leads out of the folder.
    """
    try:
        record = json.loads(data)
        if record["schema_version"] != 1:
            raise InputError(f"{place}: written by another version of the project")
        return {_checked_path(path, place): _entry(fields) for path, fields in record["files"].items()}
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{place}: not a list of files") from None


def _entry(fields: Mapping[str, Any]) -> Entry:
    size, sha256 = fields["size"], fields["sha256"]
    if size is None and sha256 is None:
        return REPLACED
    if type(size) is not int or size < 0 or not _DIGEST.fullmatch(sha256):
        raise ValueError
    return Entry(size, sha256)


def _checked_path(path: str, place: str) -> str:
    parts = path.split("/")
    if "\0" in path or any(not part or part.startswith(".") for part in parts):
        raise InputError(f"{place}: names the file {path!r}, which is no plain path inside the folder; nothing is read")
    return path
