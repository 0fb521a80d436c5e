"""The list of files in a stored folder, and the checks on a list that somebody else may have written."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.errors import InputError
from nas.files import MAX_BYTES

NAME = ".manifest.json"

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A file's size in bytes and SHA-256; both are None while the file is being replaced.

    Args:
        at_most: the size that a file has at most while it is being replaced.
    """

    size: int | None
    sha256: str | None
    at_most: int = field(default=MAX_BYTES, compare=False)

    @property
    def max_bytes(self) -> int:
        """At most so many bytes of the file are read."""
        return self.at_most if self.size is None else self.size

    def allows(self, found: "Entry") -> bool:
        """Whether a file that was read is the listed one; while it is being replaced, old and new are allowed."""
        assert found.size is not None
        return found.size <= self.max_bytes and self in (REPLACED, found)


REPLACED = Entry(None, None)
"""The entry of a file that is being replaced: the storage has the old or the new one, complete."""


def replaced(old: Entry, new: Entry) -> Entry:
    """The entry of a file while a new version replaces an old one."""
    return Entry(None, None, max(old.max_bytes, new.max_bytes))


Manifest = dict[str, Entry]
"""Files by their path below the folder, with forward slashes."""


def to_bytes(manifest: Mapping[str, Entry]) -> bytes:
    files = {path: _fields(entry) for path, entry in sorted(manifest.items())}
    return json.dumps({"schema_version": 1, "files": files}, indent=1).encode()


def from_bytes(data: bytes, place: str) -> Manifest:
    """Read a list of files.

    Raises:
        InputError: the list is malformed, or names a path outside of the folder.
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


def _fields(entry: Entry) -> dict[str, Any]:
    known = {"size": entry.size, "sha256": entry.sha256}
    return known if entry.size is not None else {**known, "at_most": entry.at_most}


def _entry(fields: Mapping[str, Any]) -> Entry:
    size, sha256 = fields["size"], fields["sha256"]
    if size is None and sha256 is None:
        at_most = fields.get("at_most", MAX_BYTES)
        if type(at_most) is not int or at_most < 0:
            raise ValueError
        return Entry(None, None, at_most)
    if type(size) is not int or size < 0 or not _DIGEST.fullmatch(sha256):
        raise ValueError
    return Entry(size, sha256)


def _checked_path(path: str, place: str) -> str:
    parts = path.split("/")
    if "\0" in path or any(not part or part.startswith(".") for part in parts):
        raise InputError(
            f"{place}: names the file {path!r}, which is not a plain path inside the folder; nothing is read"
        )
    return path
