"""Kills a command at each of its write points, repeats it, and compares the files with those of an uninterrupted run.

A write point is an operation below the command's folder: opening a file for writing, renaming, removing, or making or
removing a folder. Python reports each of them to an audit hook, so the commands need no changes. At the chosen point
the process ends by SIGKILL: before a file is renamed or removed, or when an opened file has only a part of its bytes.

Operations of other processes, and of libraries that are not written in Python (pyarrow, tensorboard's file system), are
not write points.
"""

import filecmp
import fnmatch
import json
import os
import shutil
import signal
import stat
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nas.errors import InputError
from nas.files import is_temporary

SECONDS = 600
"""Time limit of a command in seconds; a command that takes longer is killed and reported."""

Command = Callable[[], int]
"""A function that runs in a new process and returns an exit status."""
Point = tuple[str, str]
"""An event, and the file that it changes, relative to the command's folder."""


class WritePoints:
    """An audit hook that logs the write points below a folder, or ends the process at one of them.

    Args:
        folder: the command's folder; writing elsewhere does not count.
        log: a file outside of the folder that gets a line for each point.
        kill_at: number of the point at which the process ends, counted from 0; None to let the command finish.
    """

    def __init__(self, folder: Path, log: Path, kill_at: int | None) -> None:
        self._folder = str(folder)
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self._kill_at = kill_at
        self._count = 0
        self._at_work = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._at_work or (path := _written(event, arguments)) is None:
            return
        if not path.startswith(f"{self._folder}/"):
            return
        self._at_work = True
        try:
            os.write(self._log, (json.dumps([event, os.path.relpath(path, self._folder)]) + "\n").encode())
            if self._count == self._kill_at:
                if event == "open":
                    _write_half(path, arguments[2])
                os.kill(os.getpid(), signal.SIGKILL)
            self._count += 1
        finally:
            self._at_work = False


def _written(event: str, arguments: tuple[Any, ...]) -> str | None:
    """The full path of the file or folder that an audit event changes; None if it changes none."""
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            return None
        return os.path.abspath(os.fsdecode(path))
    if event in ("os.rename", "os.link", "os.symlink"):
        return os.path.abspath(os.fsdecode(arguments[1]))
    if event in ("os.remove", "os.rmdir", "os.mkdir"):
        path, folder = os.fsdecode(arguments[0]), arguments[-1]
        return os.path.abspath(path if folder < 0 else os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path))
    return None


def _write_half(path: str, flags: int) -> None:
    """Write a part of a file, as a process does that is killed while it writes."""
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError:
        return
    if stat.S_ISREG(os.fstat(descriptor).st_mode) and flags & (os.O_TRUNC | os.O_EXCL):
        os.write(descriptor, b'{"half')


def run_command(
    command: Command, folder: Path, log: Path, *, kill_at: int | None = None
) -> tuple[int | None, list[Point]]:
    """Run a command in a new process, in a folder.

    Returns:
        its exit status (None if it was killed) and its write points.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        status = 1
        try:
            output = os.open(log.with_suffix(".out"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            sys.stdout = sys.stderr = open(1, "w", closefd=False)  # noqa: SIM115, until the process ends
            os.chdir(folder)
            os.environ |= {"HOME": str(folder / "home"), "XDG_STATE_HOME": str(folder / "home" / "state")}
            sys.addaudithook(WritePoints(folder, log, kill_at))
            status = command()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    code = _wait(child)
    points = [(event, path) for event, path in map(json.loads, log.read_text().splitlines())]
    return (None if code < 0 else code), points


def _wait(child: int) -> int:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise InputError(f"a command took more than {SECONDS} s")


def find_faults(
    first: Command,
    again: Command,
    before: Path,
    scratch: Path,
    *,
    choose: Callable[[int], Sequence[int]] = range,
    varying: Sequence[str] = (),
) -> tuple[int, list[str]]:
    """Kill a command at its write points and repeat it each time.

    Args:
        first: the command; it works in ``scratch/work``.
        again: the command that continues after it was killed.
        before: a folder with the files before the command; it is copied and does not change.
        scratch: a folder for copies.
        choose: chooses the write points that are tested, given their number.
        varying: patterns of paths whose contents may differ from run to run.

    Returns:
        the number of tested write points, and the faults, each with its point.
    """
    work, whole, log = scratch / "work", scratch / "whole", scratch / "points"

    def reset() -> None:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(before, work, symlinks=True)

    reset()
    status, points = run_command(first, work, log)
    if status != 0:
        return 0, [f"undisturbed: exit status {status}: {last_line(log)}"]
    if not points:
        return 0, ["it writes nothing"]
    shutil.rmtree(whole, ignore_errors=True)
    work.rename(whole)
    faults = [f"undisturbed: leaves {path}" for path in sorted(_files(whole)) if is_temporary(Path(path).name)]
    killed = 0
    for k in choose(len(points)):
        reset()
        status, reached = run_command(first, work, log, kill_at=k)
        where = f"killed at point {k} of {len(points)}" + (" ({} {})".format(*reached[-1]) if reached else "")
        problems = []
        # Threads that make one folder at the same time may have one point less than before; then no process was killed.
        killed += status is None
        if status is not None and status != 0:
            problems = [f"it was not killed, exit status {status}: {last_line(log)}"]
        elif status is None and any(_differences(whole, work, varying)):
            status, _ = run_command(again, work, log)
            problems = [f"the repetition has exit status {status}: {last_line(log)}"] if status != 0 else []
        faults += [f"{where}: {problem}" for problem in [*problems, *_differences(whole, work, varying)]]
    if not killed and not faults:
        faults = ["no write point was reached again"]
    return killed, faults


def _differences(whole: Path, found: Path, varying: Sequence[str]) -> Iterator[str]:
    expected, there = _files(whole), _files(found)
    yield from (f"lacks {path}" for path in sorted(expected - there))
    yield from (f"has {path}, too" for path in sorted(there - expected))
    for path in sorted(expected & there):
        if not any(fnmatch.fnmatch(path, pattern) for pattern in varying) and not _alike(whole / path, found / path):
            yield f"{path} differs"


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _alike(one: Path, other: Path) -> bool:
    if one.is_dir() or other.is_dir():
        return one.is_dir() and other.is_dir()
    if filecmp.cmp(one, other, shallow=False):
        return True
    if one.suffix != ".pt":
        return False
    # Equal values may give different bytes: a pickle writes a shared object once, and two equal objects twice.
    from nas.engine.checkpoint import load_tensors

    try:
        return _same_values(load_tensors(one), load_tensors(other))
    except InputError:
        return False


def _same_values(one: object, other: object) -> bool:
    from torch import Tensor

    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and bool(one.equal(other))
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(_same_values(one[key], other[key]) for key in one)
        )
    if isinstance(one, list | tuple):
        return isinstance(other, list | tuple) and len(one) == len(other) and all(map(_same_values, one, other))
    return one == other


def last_line(log: Path) -> str:
    lines = log.with_suffix(".out").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
