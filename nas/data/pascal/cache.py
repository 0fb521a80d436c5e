"""Decoded samples on disk, outside the data folder: one file per sample, remade when it is old or damaged."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.errors import InputError
from nas.files import write_bytes_atomically

_SOURCES = "sources"

Bytes = npt.NDArray[np.uint8]


class DecodedCache:
    """What was decoded, by id, each with the state of the files that it was decoded from.

    Entries are compressed, about 4 bytes a pixel, and checked by their checksums when they are read. Several processes
    may write the same one.

    Args:
        folder: made at the first entry; other settings of decoding need another one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, id: str, sources: Sequence[Path]) -> dict[str, Bytes] | None:
        """The entry, or None if there is none, it is damaged, or a source has another size or time than it had."""
        try:
            with np.load(self._path(id), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
                if str(arrays.pop(_SOURCES)) != _state(sources):
                    return None
        except Exception:
            # A damaged archive raises nearly anything, and whatever it was, the entry is remade.
            return None
        return arrays

    def put(self, id: str, sources: Sequence[Path], arrays: Mapping[str, Bytes]) -> None:
        """Store an entry; a reader sees all of it or nothing.

        Raises:
            InputError: the folder cannot be made or written to.
        """
        buffer = io.BytesIO()
        members: dict[str, Any] = {_SOURCES: np.array(_state(sources)), **arrays}
        np.savez_compressed(buffer, **members)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the cache folder {self.folder}: {error.strerror}; name another") from error
        write_bytes_atomically(self._path(id), buffer.getvalue())

    def _path(self, id: str) -> Path:
        return self.folder / f"{id}.npz"


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
