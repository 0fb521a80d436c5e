"""Folders in storage that every machine reaches: ``file://`` for a shared disk, ``s3://``, ``gs://`` and others.

A stored folder has the same files as the local one and a list of them (`manifest`), which is written last. So readers
get complete files only, even if the writer was killed: the list has the size and digest of each file, marks a file that
is being replaced (the storage then has the old or the new one), and omits files that are not complete yet. Each folder
has one writer at a time.
"""

import hashlib
import os
import posixpath
import shutil
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from nas.errors import InputError, StorageFailed, WorkFailed
from nas.files import MAX_BYTES, make_folder, replacing
from nas.launch import manifest as manifests
from nas.launch.filesystem import open_stored, open_uri, replacing_stored
from nas.launch.manifest import Entry, Manifest, replaced

_CHUNK_BYTES = 2**20

_NUM_READERS = 8
"""Number of files that are fetched at the same time, because remote storage answers slowly."""

_ATTEMPTS = 3
"""How often a download reads the list again if files have changed meanwhile."""


class Storage:
    """Folders below a URI. Two writers may use different folders, each with its own `Storage`.

    Args:
        uri: ``file:///shared/runs``, ``s3://bucket/runs``, ``gs://...``, any scheme that pyarrow or fsspec knows, or
            a full path.

    Raises:
        InputError: an unknown URI, or one whose package is missing.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/") if len(uri) > 1 else uri
        self._filesystem, self._root = open_uri(uri)
        self._digests: dict[Path, tuple[tuple[int, int, int], str]] = {}

    def upload(self, folder: str | Path, subpath: str = "", *, skip: Collection[str] = ()) -> int:
        """Make the folder at `subpath` equal to a local one; returns the number of files that were sent.

        Files are sent in the order in which they were written, and only if they differ; files that no longer exist are
        removed. Names that start with a dot, links, and names in `skip` directly below the folder (which have other
        writers) are ignored. If the upload is killed, readers still get complete files.

        Raises:
            WorkFailed: the storage cannot be written to.
        """
        folder = Path(folder)
        with self._reported(subpath, "be written to"):
            before = self._read_manifest(subpath) or {}
            local = _files(folder, skip)
            now = {path: entry for path, file in local.items() if (entry := self._entry(file)) is not None}
            changed = [path for path, entry in now.items() if before.get(path) != entry]
            gone = [path for path in before if path not in now]
            if not changed and not gone:
                return 0
            kept = {path: entry for path, entry in before.items() if path in now}
            between = {path: replaced(before[path], now[path]) for path in changed if path in before}
            self._write_manifest(subpath, kept | between)
            for path in changed:
                entry = self._send(local[path], self._path(subpath, path))
                if entry is None:
                    now.pop(path)
                else:
                    now[path] = entry
            self._write_manifest(subpath, now)
            for path in gone:
                with suppress(FileNotFoundError):
                    self._filesystem.delete_file(self._path(subpath, path))
            return len(changed)

    def download(self, subpath: str, folder: str | Path, *, skip: Collection[str] = ()) -> int:
        """Copy the folder at `subpath` to a local one; returns the number of files that were fetched.

        A local file with the right size and digest is not fetched again. A file gets its name when it is complete and
        its digest is right. Local files that the storage lacks, and names in `skip` directly below the folder, are not
        touched. No more bytes of a file are read than the list states, and on a disk no link in the storage is
        followed.

        Raises:
            InputError: nothing is stored at `subpath`, its list names paths outside of the folder or more bytes than
                the disk has left, or a stored file is a link.
            WorkFailed: the storage cannot be read, or its files differ from its list.
        """
        folder = Path(folder)
        for _ in range(_ATTEMPTS):
            listed = {path: entry for path, entry in self.files(subpath).items() if path.split("/")[0] not in skip}
            make_folder(folder)
            targets = {path: _inside(folder, path) for path in listed}
            wanted = [path for path in listed if not self._is_there(targets[path], listed[path])]
            _require_space(folder, sum(listed[path].max_bytes for path in wanted), self._place(subpath))
            sources = [posixpath.join(subpath, path) for path in wanted]
            with self._reported(subpath, "be read"), ThreadPoolExecutor(_NUM_READERS) as pool:
                whole = pool.map(self._fetch, sources, [targets[p] for p in wanted], [listed[p] for p in wanted])
                differing = [path for path, is_whole in zip(wanted, whole, strict=True) if not is_whole]
            if not differing:
                return len(wanted)
        raise WorkFailed(
            f"{self._place(subpath)}: {differing[0]} differs from the list of files; "
            "it is being written (fetch again), or is damaged"
        )

    def files(self, subpath: str = "") -> Manifest:
        """The files of the folder at `subpath`, with sizes and digests.

        Raises:
            InputError: nothing is there, or its list is malformed. WorkFailed: the storage cannot be read.
        """
        with self._reported(subpath, "be read"):
            found = self._read_manifest(subpath)
        if found is None:
            raise InputError(f"{self._place(subpath)}: nothing has been stored there{self._others(subpath)}")
        return found

    def holds(self, subpath: str) -> bool:
        """Whether a folder was uploaded to `subpath`; takes one request, however many folders are beside it."""
        with self._reported(subpath, "be read"):
            return self._read_manifest(subpath) is not None

    def folders(self, subpath: str = "") -> list[str]:
        """The names of the folders that were uploaded directly below `subpath`."""
        import pyarrow.fs

        selector = pyarrow.fs.FileSelector(self._path(subpath), allow_not_found=True)
        with self._reported(subpath, "be read"):
            names = [info.base_name for info in self._filesystem.get_file_info(selector) if not info.is_file]
            marks = self._filesystem.get_file_info([self._path(subpath, name, manifests.NAME) for name in names])
        return sorted(name for name, mark in zip(names, marks, strict=True) if mark.is_file)

    def _others(self, subpath: str) -> str:
        parent = posixpath.dirname(subpath)
        names = self.folders(parent) if subpath else []
        return f"; {self._place(parent)} has {', '.join(names)}" if names else ""

    def _entry(self, file: Path) -> Entry | None:
        """Size and digest of a local file, which is read again only if it has changed; None if it is gone."""
        try:
            status = file.stat()
            version = (status.st_size, status.st_mtime_ns, status.st_ino)
            known = self._digests.get(file)
            if known is None or known[0] != version:
                with file.open("rb") as stream:
                    known = version, hashlib.file_digest(stream, "sha256").hexdigest()
                self._digests[file] = known
        except FileNotFoundError:
            return None
        return Entry(status.st_size, known[1])

    def _is_there(self, file: Path, entry: Entry) -> bool:
        return file.is_file() and file.stat().st_size == entry.size and self._entry(file) == entry

    def _read_manifest(self, subpath: str) -> Manifest | None:
        try:
            with open_stored(self._filesystem, self._root, posixpath.join(subpath, manifests.NAME)) as stream:
                data = stream.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        if len(data) > MAX_BYTES:
            raise InputError(f"{self._place(subpath)}: its list of files is longer than {MAX_BYTES // 2**20} MiB")
        return manifests.from_bytes(data, self._place(subpath))

    def _write_manifest(self, subpath: str, manifest: Manifest) -> None:
        with replacing_stored(self._filesystem, self._path(subpath, manifests.NAME)) as stream:
            stream.write(manifests.to_bytes(manifest))

    def _send(self, file: Path, target: str) -> Entry | None:
        """Send a file; returns size and digest of what was sent, or None if the file no longer exists."""
        try:
            source = file.open("rb")
        except FileNotFoundError:
            return None
        with source, replacing_stored(self._filesystem, target) as stream:
            return _copy(source, stream)

    def _fetch(self, source: str, target: Path, entry: Entry) -> bool:
        """Fetch a file and put it in place if it is as listed; returns whether it was."""
        make_folder(target.parent)
        try:
            with open_stored(self._filesystem, self._root, source) as stream, replacing(target) as (file, _):
                if not entry.allows(_copy(stream, file, entry.max_bytes)):
                    raise _Differs
        except (FileNotFoundError, _Differs):
            return False
        return True

    @contextmanager
    def _reported(self, subpath: str, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageFailed(f"{self._place(subpath)}: the storage cannot {what}: {str(error).strip()}") from error

    def _path(self, *parts: str) -> str:
        return posixpath.join(self._root, *(part for part in parts if part))

    def _place(self, subpath: str) -> str:
        return posixpath.join(self.uri, subpath) if subpath else self.uri


class _Differs(Exception):
    """A stored file is not what the list of files says."""


def _require_space(folder: Path, num_bytes: int, place: str) -> None:
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise InputError(
            f"{place}: has {num_bytes / 2**30:.1f} GiB to fetch, and {folder} has {free / 2**30:.1f} GiB left"
        )


def _files(folder: Path, skip: Collection[str]) -> dict[str, Path]:
    """The files of a folder by their path in it, in the order in which they were written."""
    found = {}
    for parent, names, files in os.walk(folder):
        passed_over = skip if Path(parent) == folder else ()
        names[:] = [name for name in names if not name.startswith(".") and name not in passed_over]
        for name in files:
            file = Path(parent, name)
            with suppress(FileNotFoundError):
                if not name.startswith(".") and not file.is_symlink() and file.is_file():
                    found[file] = file.stat().st_mtime_ns
    return {file.relative_to(folder).as_posix(): file for file in sorted(found, key=lambda file: (found[file], file))}


def _inside(folder: Path, path: str) -> Path:
    """The local path for a path of the list; InputError if a link in it leads out of the folder."""
    target = folder / path
    if not target.parent.resolve().is_relative_to(folder.resolve()) or target.is_dir() or target.is_symlink():
        raise InputError(f"{target}: is a folder or leads through a link; fetch into a new folder")
    return target


def _copy(source: IO[bytes], target: IO[bytes], most: int | None = None) -> Entry:
    """Copy a stream; one byte after `most` it ends, which shows that the source is too long."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK_BYTES if most is None else min(_CHUNK_BYTES, most + 1 - size)):
        digest.update(chunk)
        size += len(chunk)
        target.write(chunk)
    return Entry(size, digest.hexdigest())
