"""The list of files in a stored folder, and the checks on a list that somebody else may have written."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, NonNegativeInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from nas.errors import InputError
from nas.files import MAX_BYTES

NAME = ".manifest.json"


@dataclass(frozen=True, config=ConfigDict(strict=True))
class Entry:
    """A file's size in bytes and SHA-256; both are None while the file is being replaced.

    Args:
        at_most: the size that a file has at most while it is being replaced.
    """

    size: NonNegativeInt | None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None
    at_most: NonNegativeInt = field(default=MAX_BYTES, compare=False)

    def __post_init__(self) -> None:
        if (self.size is None) is not (self.sha256 is None):
            raise ValueError("size and sha256 are both known, or neither is")

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


@dataclass(frozen=True)
class _Record:
    schema_version: Literal[1]
    files: Manifest


_RECORD = TypeAdapter(_Record)


def to_bytes(manifest: Mapping[str, Entry]) -> bytes:
    return _RECORD.dump_json(_Record(1, dict(sorted(manifest.items()))), indent=1, exclude_defaults=True)


def from_bytes(data: bytes, place: str) -> Manifest:
    """Read a list of files.

    Raises:
        InputError: the list is malformed, or names a path outside of the folder.
    """
    try:
        files = _RECORD.validate_json(data).files
    except ValidationError as error:
        of_version = any(wrong["loc"] == ("schema_version",) and wrong["type"] != "missing" for wrong in error.errors())
        words = "written by another version of the project" if of_version else "not a list of files"
        raise InputError(f"{place}: {words}") from None
    for path in files:
        if "\0" in path or any(not part or part.startswith(".") for part in path.split("/")):
            raise InputError(
                f"{place}: names the file {path!r}, which is not a plain path inside the folder; nothing is read"
            )
    return files
