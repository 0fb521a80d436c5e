"""What the driver does when a trial has ended: download its files, report to Optuna, and update the storage."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from nas.launch.run_storage import RunStorage
from nas.launch.study import Proposals
from nas.run import Outcome, RunFolder, Trial, write_outcome


class TrialOutcomes:
    """Records outcomes; a thread transfers files to and from the storage, in order, because that takes time."""

    def __init__(self, run: RunFolder, proposals: Proposals | None, storage: RunStorage | None) -> None:
        self.run = run
        self.proposals = proposals
        self.storage = storage
        self.outcomes: dict[int, Outcome] = {}
        self._transfers: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(max_workers=1)

    def record(self, trial: Trial, outcome: Outcome, written: bool) -> None:
        """Record how a trial ended; ``written``: the worker has written the outcome into the trial's folder."""
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
        """At the end of the block, wait for all transfers; errors in them are raised."""
        try:
            yield
            for transfer in self._transfers:
                transfer.result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _transfer(self, storage: RunStorage, trial: Trial, outcome: Outcome, written: bool) -> None:
        folder = self.run.trial(trial.number).path
        # Checkpoints stay in the storage; those of all trials would be too much for this one machine.
        storage.download_trial(trial.number, folder, checkpoints=not written)
        if not written:
            # The trial's worker has ended, so the driver may write into the folder in the storage.
            self._write(trial, outcome)
            storage.upload_trial(trial.number, folder)
        if self.proposals is not None:
            storage.upload_run(self.run.path)

    def _write(self, trial: Trial, outcome: Outcome) -> None:
        folder = self.run.trial(trial.number)
        folder.make()
        write_outcome(folder.path, outcome)
