"""A run folder in storage: the run's own files at ``URI/<name>``, the files of a trial at ``URI/<name>/trials/<n>``.

Each of these folders has a list of its files and one writer at a time: the driver, or the worker of the trial.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nas.errors import InputError
from nas.launch.storage import Storage

if TYPE_CHECKING:
    from nas.run import TrialFolder

_TRIALS = "trials"


class RunStorage:
    """One run below a URI."""

    def __init__(self, uri: str, name: str) -> None:
        self.storage = Storage(uri)
        self.name = name
        self.place = f"{self.storage.uri}/{name}"

    @property
    def begun(self) -> bool:
        """Whether a run of this name has been stored."""
        return self.storage.holds(self.name)

    def upload_run(self, folder: Path) -> None:
        """Upload the run's own files: records, the study, the front and its pictures."""
        self.storage.upload(folder, self.name, skip={_TRIALS})

    def upload_trial(self, number: int, folder: Path) -> None:
        self.storage.upload(folder, self._trial(number))

    def download_trial(self, number: int, folder: Path, *, checkpoints: bool = True) -> bool:
        """Download a trial, with or without its checkpoints; returns whether it is stored."""
        # Imported here, because it needs torch, and fetching a run does not.
        from nas.strategies.store import Store

        if not self.storage.holds(self._trial(number)):
            return False
        self.storage.download(self._trial(number), folder, skip=() if checkpoints else Store.CHECKPOINTS)
        return True

    def download(self, folder: Path, *, checkpoints: bool = True) -> None:
        """Download the whole run, with or without its trials' checkpoints.

        Files that the folder already has are not fetched again.
        """
        self._download_trials(folder, checkpoints)
        # The front comes after the trees that it names.
        self.storage.download(self.name, folder)
        # The run may have ended meanwhile, and its front may name trees that were not stored before.
        self._download_trials(folder, checkpoints)

    def add_trials(self, folders: Iterable["TrialFolder"]) -> None:
        """Upload the trials that the storage lacks, for a run that had other storage or none before."""
        there = set(self.storage.folders(f"{self.name}/{_TRIALS}"))
        for folder in folders:
            if str(folder.number) not in there:
                self.upload_trial(folder.number, folder.path)

    def _download_trials(self, folder: Path, checkpoints: bool) -> None:
        for number in self.storage.folders(f"{self.name}/{_TRIALS}"):
            target = folder / _TRIALS / number
            if linked := [path for path in (target.parent, target) if path.is_symlink()]:
                raise InputError(f"{linked[0]}: is a link; fetch into a new folder")
            if number.isdecimal():
                self.download_trial(int(number), target, checkpoints=checkpoints)

    def _trial(self, number: int) -> str:
        return f"{self.name}/{_TRIALS}/{number}"
