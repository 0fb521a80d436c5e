"""A lock file is never followed, emptied or waited for without end; each cause of a refusal has its own sentence."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys

import pytest

from nas.errors import InputError
from nas.lock import hold_lock


def hold(path, wait=0.0):
    with hold_lock(path, "somebody else is here", wait=wait):
        pass


def failing(monkeypatch, owner, name, number):
    """Let a function of the operating system fail with an error."""

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(owner, name, fail)


def test_one_holder_at_a_time_and_the_content_stays(tmp_path):
    path = tmp_path / ".lock"
    path.write_text("mine")
    with hold_lock(path, "busy"), pytest.raises(InputError, match="somebody else"):
        hold(path)
    hold(path)
    assert path.read_text() == "mine"


def test_the_lock_ends_with_a_killed_process_and_is_waited_for(tmp_path):
    path = tmp_path / ".lock"
    text = f"""
import sys, time
from pathlib import Path
from nas.lock import hold_lock
with hold_lock(Path({str(path)!r}), ""):
    print("held", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="somebody else"):
            hold(path, wait=0.1)
        process.kill()
    hold(path, wait=5.0)


def test_a_forked_process_that_lives_on_does_not_keep_the_lock(tmp_path):
    with hold_lock(tmp_path / ".lock", ""):
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
    try:
        hold(tmp_path / ".lock")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_is_refused_and_its_target_left_alone(tmp_path, dangling):
    target, path = tmp_path / "thesis.tex", tmp_path / ".lock"
    path.symlink_to(target)
    if not dangling:
        target.write_text("years of work")
    with pytest.raises(InputError, match=r"\.lock: is a link"):
        hold(path)
    assert target.exists() != dangling
    assert dangling or target.read_text() == "years of work"


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "words"),
    [(os.mkdir, "is a folder"), (os.mkfifo, "not a regular file"), (make_socket, "not a regular file")],
)
def test_what_is_no_regular_file_is_refused(tmp_path, monkeypatch, make, words):
    # The name of a socket must be short.
    monkeypatch.chdir(tmp_path)
    make(".lock")
    with pytest.raises(InputError, match=words):
        hold(tmp_path / ".lock")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOLCK, "refuses locks"),
        (errno.EOPNOTSUPP, "has no locks"),
        (errno.ENOSYS, "has no locks"),
        (errno.EBADF, "may not be opened for writing"),
    ],
)
def test_a_file_system_without_locks_says_so(tmp_path, monkeypatch, number, words):
    failing(monkeypatch, fcntl, "flock", number)
    with pytest.raises(InputError, match=words):
        hold(tmp_path / ".lock", wait=5.0)


def test_a_failing_disk_is_no_wrong_input(tmp_path, monkeypatch):
    failing(monkeypatch, os, "open", errno.ENOSPC)
    with pytest.raises(OSError, match="space"):
        hold(tmp_path / ".lock")


def test_another_users_lock_is_held_if_it_may_be_read_and_named_if_not(tmp_path, monkeypatch):
    path, real = tmp_path / ".lock", os.open
    path.touch()

    def not_writable(name, flags, mode=0o777):
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(name, flags, mode)

    monkeypatch.setattr(os, "open", not_writable)
    with hold_lock(path, ""), pytest.raises(InputError, match="somebody else"):
        hold(path)
    failing(monkeypatch, os, "open", errno.EACCES)
    monkeypatch.setattr(os, "geteuid", lambda: -1)
    with pytest.raises(InputError, match=r"may not be opened for writing \(it belongs to \w+; Permission denied\)"):
        hold(path)
