"""What a job runs that works on a stored run: a command of the command line between a fetch and an upload.

    python -m nas.cli.stored STORAGE FOLDER VERB ARGUMENTS...

The run is fetched into FOLDER, whose name is the run's. While the command works, what it has changed in the run is
stored every half minute, so a job whose machine is lost goes on from there when it is submitted again. A run that is
not in the storage yet is begun by the command.
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
    """Run a command on a stored run; returns its exit status, or 1 if its result cannot be stored."""
    try:
        stored = RunStorage(storage, folder.name)
        if stored.begun:
            # Only weights that are inherited are read from a trial's checkpoints, which are most of a run.
            stored.download(folder, checkpoints="inherited" in arguments)
        with _kept(stored, folder):
            status = run(arguments)
    except (InputError, WorkFailed) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return WRONG_INPUT if isinstance(error, InputError) else FAILED
    return status


@contextmanager
def _kept(stored: RunStorage, folder: Path) -> Iterator[None]:
    """Store the run's own files every now and then while a block runs, and at its end."""
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
    # How a cluster stops a job; what was done until then is stored.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(run_stored(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
