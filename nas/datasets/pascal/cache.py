"""Decoded samples on disk, outside the data folder: one file per sample, written again if it is old or damaged."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.datasets.cached_files import write_entry

_SOURCES = "sources"
_DIGEST_BYTES = 16

Bytes = npt.NDArray[np.uint8]


class DecodedCache:
    """Decoded samples by id, each with the names, sizes and times of its source files.

    An entry is a digest followed by an archive of arrays (npz). The archive is read only if the digest fits. Several
    processes may write the same entry.

    Args:
        folder: made with the first entry; each setting of decoding needs its own folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, id: str, sources: Sequence[Path]) -> dict[str, Bytes] | None:
        """The entry; None if it is missing or damaged, or if the size or time of a source has changed."""
        try:
            entry = self._path(id).read_bytes()
        except OSError:
            return None
        digest, archive = entry[:_DIGEST_BYTES], entry[_DIGEST_BYTES:]
        if digest != _digest(archive):
            return None
        with np.load(io.BytesIO(archive), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return arrays if str(arrays.pop(_SOURCES)) == _state(sources) else None

    def put(self, id: str, sources: Sequence[Path], arrays: Mapping[str, Bytes]) -> None:
        """Store an entry (`write_entry`)."""
        buffer = io.BytesIO()
        members: dict[str, Any] = {_SOURCES: np.array(_state(sources)), **arrays}
        np.savez_compressed(buffer, **members)
        archive = buffer.getvalue()
        write_entry(self._path(id), _digest(archive) + archive)

    def _path(self, id: str) -> Path:
        return self.folder / f"{id}.sample"


def _digest(archive: bytes) -> bytes:
    return hashlib.blake2b(archive, digest_size=_DIGEST_BYTES).digest()


def _state(sources: Sequence[Path]) -> str:
    """Names, sizes and times of the sources; a missing one has neither."""
    states: list[list[str | int]] = []
    for path in sources:
        try:
            found = path.stat()
        except OSError:
            states.append([str(path)])
        else:
            states.append([str(path), found.st_size, found.st_mtime_ns])
    return json.dumps(states)
