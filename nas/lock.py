"""File locks: one writer at a time. A lock file is never truncated or written to, and never followed if it is a link.

The lock belongs to the open file, so the system releases it when the process that holds it ends, for whatever reason.
The file itself stays. Programs that use ``flock`` on the same file, such as the ``filelock`` package, respect the lock.
"""

import errno
import fcntl
import os
import pwd
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nas.errors import InputError

_SECONDS_BETWEEN_ATTEMPTS = 0.05

_HELD = {errno.EWOULDBLOCK, errno.EAGAIN}

_UNSUPPORTED = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


@contextmanager
def hold_lock(path: Path, busy: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the exclusive lock of a file while the block runs; the file is made if it is missing.

    Args:
        path: the lock file, in a folder that exists.
        busy: the message if another process holds the lock.
        wait: seconds to wait for that process.

    Raises:
        InputError: another process holds the lock; or the path is not a regular file, may not be opened, or is on a
            file system without locks.
        OSError: the disk is full or failing.
    """
    descriptor = _open(path)
    try:
        _acquire(descriptor, path, busy, time.monotonic() + wait)
        # The file's time says since when it is held. It may belong to somebody else.
        with suppress(OSError):
            os.utime(descriptor)
        try:
            yield
        finally:
            # Closing is not enough where a forked process, which loads samples, still has the descriptor.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of a file; nothing is written, and a missing file is not locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Held for microseconds only, and together with other readers; a writer that begins meanwhile has to wait.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _HELD
    finally:
        os.close(descriptor)
    return False


def _open(path: Path) -> int:
    """Open the lock file, without following a link, truncating a file or blocking on a pipe."""
    flags = os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_RDWR, 0o666)
    except PermissionError as error:
        # Permission to read another user's file is enough to lock it.
        try:
            descriptor = os.open(path, flags & ~os.O_CREAT | os.O_RDONLY)
        except OSError:
            raise _explained(error, path) from error
    except OSError as error:
        raise _explained(error, path) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(path, "is not a regular file")
    return descriptor


def _acquire(descriptor: int, path: Path, busy: str, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _HELD:
                raise _explained(error, path) from error
            if time.monotonic() >= until:
                raise InputError(busy) from None
            time.sleep(_SECONDS_BETWEEN_ATTEMPTS)
        else:
            return


def _explained(error: OSError, path: Path) -> OSError | InputError:
    """An `InputError` that says why a lock file could not be opened or locked; the error itself if the disk failed."""
    if error.errno == errno.ELOOP:
        return _not_regular(path, "is a link")
    if error.errno == errno.EISDIR:
        return _not_regular(path, "is a folder")
    if error.errno in (errno.ENXIO, errno.ENODEV):
        return _not_regular(path, "is not a regular file")
    if error.errno == errno.ENOLCK:
        return InputError(
            f"{path}: the file system refuses locks ({error.strerror}), perhaps because the lock service of a "
            "network disk is not running; put the folder on another disk"
        )
    if error.errno in _UNSUPPORTED:
        return InputError(f"{path}: the file system has no locks ({error.strerror}); put the folder on another disk")
    if isinstance(error, PermissionError) or error.errno in (errno.EROFS, errno.EBADF):
        return InputError(
            f"{path}: may not be opened for writing ({_owner(path)}{error.strerror}); "
            "let its owner give you access, or work on a copy of the folder"
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return InputError(f"{path}: cannot be made ({error.strerror})")
    return error


def _not_regular(path: Path, what: str) -> InputError:
    return InputError(f"{path}: {what}; a lock must be a regular file, so remove it")


def _owner(path: Path) -> str:
    """``it belongs to alice; `` where the file is another user's."""
    with suppress(OSError, KeyError):
        number = path.lstat().st_uid
        if number != os.geteuid():
            return f"it belongs to {pwd.getpwuid(number).pw_name}; "
    return ""
