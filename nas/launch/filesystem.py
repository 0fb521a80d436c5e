"""Open the file system that a URI names, with pyarrow, or with fsspec for schemes that pyarrow lacks."""

import errno
import os
import stat
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from nas.errors import InputError

_OBJECT_STORES = {"s3", "gcs", "abfs"}
"""Storage in which a file appears when it is complete, renaming copies, and folders need not be made."""


def open_uri(uri: str) -> tuple[Any, str]:
    """The pyarrow file system of a URI and the path in it; a full path counts as ``file://``.

    Raises:
        InputError: not a URI, an unknown scheme, a scheme whose package is missing, or storage that cannot be reached.
    """
    fs = _pyarrow_fs()
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        path = unquote(parts.path) if parts.scheme else uri
        if not Path(path).is_absolute() or parts.netloc not in ("", "localhost"):
            raise InputError(
                f"{uri!r} is not a storage: name a URI (file:///shared/runs, s3://bucket/runs) or a full path"
            )
        return fs.LocalFileSystem(), str(Path(path))
    try:
        filesystem, path = fs.FileSystem.from_uri(uri)
    except ValueError:
        filesystem, path = _through_fsspec(fs, uri)
    except OSError as error:
        raise InputError(f"{uri}: the storage cannot be reached: {_first_line(error)}") from error
    return filesystem, path.rstrip("/")


def require_uri(uri: str) -> None:
    """InputError unless a text is a URI or a full path; the storage is not contacted."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    path = unquote(parts.path) if parts.scheme else uri
    local = parts.scheme in ("", "file")
    if local and (not Path(path).is_absolute() or parts.netloc not in ("", "localhost")):
        raise InputError(f"{uri!r} is not a storage: name a URI (file:///shared/runs, s3://bucket/runs) or a full path")


def is_object_store(filesystem: Any) -> bool:
    """Whether a file appears only when it is complete, so that no temporary name is needed."""
    return filesystem.type_name in _OBJECT_STORES


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
