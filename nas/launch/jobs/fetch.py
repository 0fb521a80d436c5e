"""`nas fetch`: copy a run folder from the storage."""

from pathlib import Path
from typing import TYPE_CHECKING

from nas.errors import InputError
from nas.files import is_temporary, make_folder, read_json, remove_unfinished, write_json_atomically
from nas.launch.jobs.job import check_name
from nas.launch.run_storage import RunStorage

if TYPE_CHECKING:
    from nas.run import RunFolder

_SOURCE = ".fetched.json"
"""Records which run a folder was fetched from, so that another run is not mixed into it."""


def fetch(run: str, *, storage: str | None = None, out: str | Path) -> "RunFolder":
    """Copy a run folder from the storage; the search may still be running.

    Files that are there already are not fetched again. Repeat the call to continue an interrupted fetch, or to get what
    a search has added. Every file is compared with its stored size and digest, and gets its name when it is complete.
    The storage is treated as untrusted: nothing is written outside of `out`, links in a storage on a disk are not
    followed, and no more of a file is read than the run's list of files states.

    Args:
        run: a run's name, or its full URI (as `nas jobs` shows it).
        storage: the URI below which the run is; not needed with a full URI.
        out: a folder that is new, empty, or was fetched from the same run.

    Raises:
        InputError: no such run, or the folder has other files. WorkFailed: the storage fails, or is damaged.
    """
    uri, name = _place(run, storage)
    out = Path(out)
    stored = RunStorage(uri, name)
    source = {"schema_version": 1, "run": f"{stored.storage.uri}/{name}"}
    _check_folder(out, source)
    # Read the run's list first, so that no folder is made for an unknown run.
    stored.storage.files(name)
    make_folder(out)
    remove_unfinished(out)
    write_json_atomically(out / _SOURCE, source)
    stored.download(out)
    # Imported here, because it needs torch, and other commands for clusters do not.
    from nas.run import RunFolder

    return RunFolder(out)


def _place(run: str, storage: str | None) -> tuple[str, str]:
    if storage is not None:
        return storage, check_name(run)
    uri, slash, name = run.rstrip("/").rpartition("/")
    if not slash:
        raise InputError(f"{run!r} is a name: name the storage with `storage=URI`, or give the run's full URI")
    return uri or "/", check_name(name)


def _check_folder(out: Path, source: dict[str, object]) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; `out` names a folder")
    if not out.is_dir() or all(is_temporary(path.name) for path in out.iterdir()):
        return
    if not (out / _SOURCE).is_file():
        raise InputError(f"{out}: is not empty, and was not fetched; name a new folder")
    found = read_json(out / _SOURCE)
    if found != source:
        before = found.get("run") if isinstance(found, dict) else None
        raise InputError(f"{out}: was fetched from {before!r}, not from {source['run']}; name a new folder")
