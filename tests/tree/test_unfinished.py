"""What killed writers leave, and what becomes of it: the next attempt removes it, a living writer's stays."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nas.errors import InputError
from nas.files import is_temporary, new_folder, remove_unfinished, replacing, write_text_atomically


@contextmanager
def stopped_in(write: Callable[[], None]) -> Iterator[int]:
    """A process that stops itself while it writes; the end of the block resumes it, unless it was killed."""
    child = os.fork()
    if not child:
        try:
            write()
        finally:
            os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGCONT)
        os.waitpid(child, 0)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def write_file(path: Path) -> None:
    with replacing(path) as (file, _):
        file.write(b"other")
        file.flush()
        stop()


def write_folder(path: Path) -> None:
    with new_folder(path) as hidden:
        (hidden / "a").write_text("other")
        stop()


def leave(write: Callable[[Path], None], path: Path) -> str:
    """Kill a writer; the name of what it leaves."""
    with stopped_in(lambda: write(path)) as child:
        os.kill(child, signal.SIGKILL)
    (left,) = [name for name in os.listdir(path.parent) if is_temporary(name)]
    return left


def put(path: Path) -> None:
    with new_folder(path) as hidden:
        write_text_atomically(hidden / "a", "mine")


def test_the_next_write_removes_what_a_killed_one_has_left(tmp_path):
    path = tmp_path / "record.json"
    left = leave(write_file, path)
    # Of another file's writer nothing is known.
    write_text_atomically(tmp_path / "other.json", "other")
    assert sorted(os.listdir(tmp_path)) == sorted([left, "other.json"])
    write_text_atomically(path, "mine")
    assert sorted(os.listdir(tmp_path)) == ["other.json", "record.json"]


def test_the_next_folder_removes_what_a_killed_one_has_left(tmp_path):
    left = leave(write_folder, tmp_path / "bundle")
    assert (tmp_path / left / "a").is_file()
    put(tmp_path / "bundle")
    assert os.listdir(tmp_path) == ["bundle"]


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "record.json"
    with stopped_in(lambda: write_file(path)):
        write_text_atomically(path, "mine")
        assert path.read_text() == "mine"
        assert len(os.listdir(tmp_path)) == 2
    assert path.read_text() == "other"
    assert os.listdir(tmp_path) == ["record.json"]


def test_two_writers_of_one_folder_do_not_disturb_each_other(tmp_path):
    with stopped_in(lambda: write_folder(tmp_path / "bundle")):
        put(tmp_path / "bundle")
    assert (tmp_path / "bundle" / "a").read_text() == "mine"
    assert os.listdir(tmp_path) == ["bundle"]


def test_leftovers_of_a_run_are_removed_and_living_writers_are_not(tmp_path):
    (tmp_path / "exports").mkdir()
    leave(write_file, tmp_path / "front.json")
    leave(write_folder, tmp_path / "exports" / "bundle")
    (tmp_path / "notes.tmp").write_text("a user's own")
    with stopped_in(lambda: write_file(tmp_path / "metrics.jsonl")):
        remove_unfinished(tmp_path)
        assert len(os.listdir(tmp_path)) == 3
    assert sorted(os.listdir(tmp_path)) == ["exports", "metrics.jsonl", "notes.tmp"]
    assert os.listdir(tmp_path / "exports") == []


def test_where_there_are_no_locks_names_are_random_and_a_run_is_cleaned_all_the_same(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(37, "No locks available")

    left = leave(write_file, tmp_path / "record.json")
    monkeypatch.setattr("fcntl.flock", no_locks)
    # It may be a living writer's.
    write_text_atomically(tmp_path / "record.json", "mine")
    assert sorted(os.listdir(tmp_path)) == sorted([left, "record.json"])
    remove_unfinished(tmp_path)
    assert os.listdir(tmp_path) == ["record.json"]


@pytest.mark.parametrize("kind", ["link", "hard link", "folder"])
def test_what_somebody_puts_in_the_place_of_a_temporary_file_is_not_written_to(tmp_path, kind):
    left = leave(write_file, tmp_path / "record.json")
    (tmp_path / left).unlink()
    precious = tmp_path / "precious"
    precious.write_text("years of work")
    if kind == "link":
        (tmp_path / left).symlink_to(precious)
    elif kind == "hard link":
        os.link(precious, tmp_path / left)
    else:
        (tmp_path / left).mkdir()
    write_text_atomically(tmp_path / "record.json", "mine")
    assert (tmp_path / "record.json").read_text() == "mine"
    assert precious.read_text() == "years of work"


def test_a_folder_appears_when_it_is_complete(tmp_path):
    with new_folder(tmp_path / "bundle") as hidden:
        (hidden / "a").write_text("mine")
        assert not (tmp_path / "bundle").exists()
    assert os.listdir(tmp_path) == ["bundle"]
    assert (tmp_path / "bundle" / "a").read_text() == "mine"


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    def fail():
        with new_folder(tmp_path / "bundle") as hidden:
            (hidden / "a").write_text("mine")
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        fail()
    assert os.listdir(tmp_path) == []


def test_a_folder_goes_where_an_empty_one_the_same_one_or_a_link_is(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    put(tmp_path / "link")
    assert (tmp_path / "empty" / "a").read_text() == "mine"
    assert (tmp_path / "link").is_symlink()
    put(tmp_path / "empty")
    assert sorted(os.listdir(tmp_path)) == ["empty", "link"]


@pytest.mark.parametrize("name", ["file", "full", "nowhere/bundle"])
def test_a_folder_in_the_wrong_place_is_an_input_error(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "b").write_text("")
    with pytest.raises(InputError, match=f"cannot make the folder .*{name}: "):
        put(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["file", "full"]
