"""Open the file system that a URI names, with pyarrow, or with fsspec for schemes that pyarrow lacks."""

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from nas.errors import InputError
from nas.files import replacing

_OBJECT_STORES = {"s3", "gcs", "abfs"}
"""Storage in which a file appears when it is complete, renaming copies, and folders need not be made."""


def open_uri(uri: str) -> tuple[Any, str]:
    """The pyarrow file system of a URI and the path in it; a full path counts as ``file://``.

    Raises:
        InputError: not a URI, an unknown scheme, a scheme whose package is missing, or storage that cannot be reached.
    """
    fs = _pyarrow_fs()
    if (on_disk := require_uri(uri)) is not None:
        return fs.LocalFileSystem(), str(on_disk)
    try:
        filesystem, path = fs.FileSystem.from_uri(uri)
    except ValueError:
        filesystem, path = _through_fsspec(fs, uri)
    except OSError as error:
        raise InputError(f"{uri}: the storage cannot be reached: {_first_line(error)}") from error
    return filesystem, path.rstrip("/")


def require_uri(uri: str) -> Path | None:
    """InputError unless a text is a URI or a full path; returns the path on a disk. The storage is not contacted."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("", "file"):
        return None
    path = Path(unquote(parts.path) if parts.scheme else uri)
    if not path.is_absolute() or parts.netloc not in ("", "localhost"):
        raise InputError(f"{uri!r} is not a storage: name a URI (file:///shared/runs, s3://bucket/runs) or a full path")
    return path


def open_stored(filesystem: Any, root: str, path: str) -> IO[bytes]:
    """Open a stored file for reading; on a disk, links below the root are not followed and only plain files are read.

    Args:
        filesystem, root: the values that `open_uri` returns.
        path: a path below the root.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: the path leads through a link, or to something else than a file.
    """
    if filesystem.type_name != "local":
        stream: IO[bytes] = filesystem.open_input_stream(f"{root}/{path}", compression=None)
        return stream
    parts = [part for part in path.split("/") if part]
    # The user names the root, so it may be a link.
    opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            flags = os.O_RDONLY | os.O_NOFOLLOW | (os.O_NONBLOCK if last else os.O_DIRECTORY)
            try:
                below = os.open(part, flags, dir_fd=opened)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                    raise
                raise InputError(f"{root}/{path}: leads through a link or a file, so it is not read") from None
            os.close(opened)
            opened = below
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise InputError(f"{root}/{path}: is not a file, so it is not read")
        return os.fdopen(os.dup(opened), "rb")
    finally:
        os.close(opened)


@contextmanager
def replacing_stored(filesystem: Any, path: str) -> Iterator[IO[bytes]]:
    """A stored file to write; it appears, or replaces an existing one, when the block ends without an error.

    What a killed writer has left of a file is removed when the file is written again.
    """
    if filesystem.type_name == "local":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(Path(path)) as (file, _):
            yield file
        return
    folder, name = posixpath.split(path)
    written = path if filesystem.type_name in _OBJECT_STORES else f"{folder}/.{name}.tmp"
    try:
        if written != path:
            filesystem.create_dir(folder, recursive=True)
        with filesystem.open_output_stream(written, compression=None) as stream:
            yield stream
        if written != path:
            filesystem.move(written, path)
    except BaseException:
        # An object store keeps what was written before the error as a file.
        with suppress(OSError):
            filesystem.delete_file(written)
        raise


def _through_fsspec(fs: Any, uri: str) -> tuple[Any, str]:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(uri)
    except ImportError as error:
        raise InputError(f"{uri}: {_first_line(error)}") from error
    except ValueError as error:
        raise InputError(f"{uri!r} is not a storage: {_first_line(error)}") from error
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path


def _pyarrow_fs() -> Any:
    try:
        import pyarrow.fs
    except ImportError:
        raise InputError("storage needs pyarrow, which comes with ray: pip install 'branched-nas[ray]'") from None
    return pyarrow.fs


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
