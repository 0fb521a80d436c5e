"""`nas fetch`: a run folder from the storage."""

from pathlib import Path
from typing import TYPE_CHECKING

from nas.errors import InputError
from nas.files import is_temporary, make_folder, read_json, remove_unfinished, write_json_atomically
from nas.launch.jobs.job import check_name
from nas.launch.run_storage import RunStorage

if TYPE_CHECKING:
    from nas.run import RunFolder

_SOURCE = ".fetched.json"
"""Says which run a folder was fetched from, so that no other is mixed into it."""


def fetch(run: str, *, storage: str | None = None, out: str | Path) -> "RunFolder":
    """Bring a run folder from the storage, as far as the search has got.

    What is there already is not fetched again, so a fetch that was cut off goes on when it is repeated, and so does one
    of a search that goes on. Every file is checked against the size and the digest that it was stored with, and has its
    name only when it is whole. Nothing is written outside of `out`, whatever the storage holds: no link in a storage on
    a disk is followed, and no more is read of a file than the run's list of files says.

    Args:
        run: a run's name, or its full URI (what `nas jobs` shows).
        storage: the URI below which the name is.
        out: a folder that is new, empty, or was fetched from the same run.

    Raises:
        InputError: no such run, or a folder with something else in it. WorkFailed: the storage fails, or is damaged.
    """
    uri, name = _place(run, storage)
    out = Path(out)
    stored = RunStorage(uri, name)
    source = {"schema_version": 1, "run": f"{stored.storage.uri}/{name}"}
    _check_folder(out, source)
    # The run's own list comes first: an unknown run leaves no folder behind.
    stored.storage.files(name)
    make_folder(out)
    remove_unfinished(out)
    write_json_atomically(out / _SOURCE, source)
    stored.download(out)
    # Here, because it needs torch, and the commands that only ask a cluster do not.
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
