"""The program of a job that retrains or compares: fetch a stored run, run a command on it, and upload the changes.

    python -m nas.cli.stored STORAGE FOLDER VERB ARGUMENTS...

The run is fetched into FOLDER, which has the run's name. While the command works, its changes are stored every half
minute, so that a job whose machine is lost can be submitted again and continues from there. If the run is not in the
storage yet, the command begins it.
"""

import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nas.cli.main import FAILED, WRONG_INPUT, run
from nas.errors import InputError, StorageFailed, WorkFailed
from nas.launch.run_storage import RunStorage

SECONDS_BETWEEN_UPLOADS = 30.0

_LOGGER = logging.getLogger(__name__)


def run_stored(storage: str, folder: Path, arguments: Sequence[str]) -> int:
    """Run a command on a stored run; returns its exit status, or 1 if the result cannot be stored."""
    try:
        stored = RunStorage(storage, folder.name)
        if stored.begun:
            # Checkpoints of trials are most of a run, and only inherited weights are read from them.
            stored.download(folder, checkpoints="inherited" in arguments)
        with _kept(stored, folder):
            status = run(arguments)
    except (InputError, WorkFailed) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return WRONG_INPUT if isinstance(error, InputError) else FAILED
    return status


@contextmanager
def _kept(stored: RunStorage, folder: Path) -> Iterator[None]:
    """While a block runs, store the run's own files every half minute, and once more at its end."""
    ended = threading.Event()

    def upload() -> None:
        while not ended.wait(SECONDS_BETWEEN_UPLOADS):
            try:
                if folder.is_dir():
                    stored.upload_run(folder)
            except StorageFailed as error:
                _LOGGER.warning("%s; tried again later", error)

    thread = threading.Thread(target=upload, name="upload", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if folder.is_dir():
            stored.upload_run(folder)


if __name__ == "__main__":
    # A cluster stops a job with SIGTERM; exiting normally stores the last changes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(run_stored(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
