"""What a strategy keeps while it searches: checkpoints, and small records."""

from pathlib import Path
from typing import Any

from nas.engine.checkpoint import CheckpointFolder
from nas.files import read_json, write_json_atomically


class Store:
    """Checkpoints and records of one search, in the folder of its trial.

    Attributes:
        checkpoints: of the search.
        warmup: of a training that comes before the search.
    """

    CHECKPOINTS = ("checkpoint", "warm-up")
    """The folders of the two, which hold nearly all of a trial's bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints, self.preparation = (CheckpointFolder(folder / name) for name in self.CHECKPOINTS)

    def write(self, name: str, record: Any) -> None:
        """Keep plain data as ``<name>.json``, where users find it."""
        write_json_atomically(self._path(name), record)

    def read(self, name: str) -> Any:
        """What `write` kept; InputError if it is missing or malformed."""
        return read_json(self._path(name))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"
