"""What the driver does when a trial has ended: files come here, Optuna is told, the storage is kept up to date."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from nas.launch.run_storage import RunStorage
from nas.launch.study import Proposals
from nas.run import Outcome, RunFolder, Trial, write_outcome


class TrialOutcomes:
    """Collects outcomes; what takes time (files to and from the storage) is done by a thread, in order."""

    def __init__(self, run: RunFolder, proposals: Proposals | None, storage: RunStorage | None) -> None:
        self.run = run
        self.proposals = proposals
        self.storage = storage
        self.outcomes: dict[int, Outcome] = {}
        self._transfers: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(max_workers=1)

    def record(self, trial: Trial, outcome: Outcome, written: bool) -> None:
        """Take notice of an outcome; write it down unless the worker has."""
        if self.proposals is not None:
            self.proposals.tell(trial.number, outcome)
        self.outcomes[trial.number] = outcome
        if self.storage is None:
            if not written:
                self._write(trial, outcome)
        else:
            self._transfers.append(self._pool.submit(self._transfer, self.storage, trial, outcome, written))

    @contextmanager
    def until_transferred(self) -> Iterator[None]:
        """Wait for what is under way when the block ends; what failed there is raised."""
        try:
            yield
            for transfer in self._transfers:
                transfer.result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _transfer(self, storage: RunStorage, trial: Trial, outcome: Outcome, written: bool) -> None:
        folder = self.run.trial(trial.number).path
        # Checkpoints stay: those of all trials would go through this one machine.
        storage.download_trial(trial.number, folder, checkpoints=not written)
        if not written:
            # The trial's worker is gone, so the folder in the storage is the driver's to write.
            self._write(trial, outcome)
            storage.upload_trial(trial.number, folder)
        if self.proposals is not None:
            storage.upload_run(self.run.path)

    def _write(self, trial: Trial, outcome: Outcome) -> None:
        folder = self.run.trial(trial.number)
        folder.make()
        write_outcome(folder.path, outcome)
