"""The store of a strategy: checkpoints and small records of one search."""

from pathlib import Path
from typing import Any

from nas.engine.checkpoint import CheckpointFolder
from nas.files import read_json, write_json_atomically


class Store:
    """Checkpoints and records of one search, in the folder of its trial.

    Attributes:
        checkpoints: checkpoints of the search.
        preparation: checkpoints of a training before the search, such as that of own copies.
    """

    CHECKPOINTS = ("checkpoint", "warm-up", "trainings")
    """Names of the folders that hold nearly all of a trial's bytes; the last one has the trainings of single trees."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints, self.preparation = (CheckpointFolder(folder / name) for name in self.CHECKPOINTS[:2])

    def write(self, name: str, record: Any) -> None:
        """Write plain data to ``<name>.json`` in the trial's folder."""
        write_json_atomically(self._path(name), record)

    def read(self, name: str) -> Any:
        """The data that `write` wrote; InputError if the file is missing or malformed."""
        return read_json(self._path(name))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"
