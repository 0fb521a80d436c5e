"""Folders in storage: what is sent, what is fetched, and what is left when either is cut off."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas.errors import InputError, WorkFailed
from nas.launch import manifest as manifests
from nas.launch.storage import Storage

pytest.importorskip("pyarrow")
fsspec = pytest.importorskip("fsspec")


@pytest.fixture(params=["file", "memory"])
def storage(request, tmp_path) -> Storage:
    """On a disk, where a file gets its name when it is whole, and through fsspec."""
    place = tmp_path / "a store"
    return Storage(place.as_uri() if request.param == "file" else f"memory://{tmp_path.name}")


@pytest.fixture
def run(tmp_path) -> Path:
    folder = tmp_path / "run"
    (folder / "trials" / "0").mkdir(parents=True)
    (folder / "trials" / "0" / "epoch-0001.pt").write_bytes(b"one" * 1000)
    (folder / "front.json").write_text("{}")
    (folder / "empty").write_bytes(b"")
    (folder / ".lock").write_text("")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_is_skipped_stays_there(storage, run, tmp_path):
    storage.upload(run, "a")
    assert storage.download("a", tmp_path / "back", skip={"trials"}) == 2
    assert set(contents(tmp_path / "back")) == {"front.json", "empty"}
    assert storage.download("a", tmp_path / "back") == 1


def test_a_folder_goes_there_and_back(storage, run, tmp_path):
    assert storage.upload(run, "jobs/a") == 3
    assert storage.download("jobs/a", tmp_path / "back") == 3
    (run / ".lock").unlink()
    assert contents(tmp_path / "back") == contents(run)
    assert storage.folders("jobs") == ["a"]


def test_only_what_differs_travels(storage, run, tmp_path):
    storage.upload(run, "a")
    storage.download("a", tmp_path / "back")
    assert storage.upload(run, "a") == 0
    # The same size, written within the same tick of a coarse clock: only the file's number tells.
    replacement = run / "new"
    replacement.write_text("[]")
    os.utime(replacement, ns=(0, (run / "front.json").stat().st_mtime_ns))
    replacement.replace(run / "front.json")
    (run / "trials" / "0" / "epoch-0001.pt").unlink()
    (run / "trials" / "0" / "epoch-0002.pt").write_bytes(b"two")
    assert storage.upload(run, "a") == 2
    assert set(storage.files("a")) == {"front.json", "empty", "trials/0/epoch-0002.pt"}
    assert storage.download("a", tmp_path / "back") == 2
    assert (tmp_path / "back" / "front.json").read_text() == "[]"
    fresh = Storage(storage.uri)
    assert fresh.upload(run, "a") == 0


def test_files_are_sent_in_the_order_they_were_written(storage, run, monkeypatch):
    for i, name in enumerate(("trials/0/epoch-0001.pt", "empty", "front.json")):
        os.utime(run / name, ns=(i, i))
    sent = []
    send = Storage._send
    monkeypatch.setattr(Storage, "_send", lambda self, file, target: sent.append(file.name) or send(self, file, target))
    storage.upload(run, "a")
    assert sent == ["epoch-0001.pt", "empty", "front.json"]


def test_an_upload_that_was_cut_off_leaves_whole_files_of_either_time(storage, run, tmp_path, monkeypatch):
    storage.upload(run, "a")
    (run / "front.json").write_text("[1]")
    (run / "late").write_text("late")
    send = Storage._send

    def killed_before_late(self, file, target):
        if file.name == "late":
            raise KeyboardInterrupt
        return send(self, file, target)

    monkeypatch.setattr(Storage, "_send", killed_before_late)
    os.utime(run / "front.json", ns=(0, 0))
    with pytest.raises(KeyboardInterrupt):
        storage.upload(run, "a")
    assert storage.files("a")["front.json"] == manifests.REPLACED
    storage.download("a", tmp_path / "back")
    assert (tmp_path / "back" / "front.json").read_text() == "[1]"
    assert not (tmp_path / "back" / "late").exists()
    monkeypatch.undo()
    Storage(storage.uri).upload(run, "a")
    assert manifests.REPLACED not in storage.files("a").values()


def test_a_file_that_was_fetched_by_half_never_has_its_name(storage, run, tmp_path, monkeypatch):
    from nas.launch import storage as module

    storage.upload(run, "a")
    copy = module._copy

    def cut_off(source, target, most):
        target.write(source.read(10))
        raise OSError("connection lost")

    monkeypatch.setattr(module, "_copy", cut_off)
    with pytest.raises(WorkFailed, match="cannot be read: connection lost"):
        storage.download("a", tmp_path / "back")
    assert contents(tmp_path / "back") == {}
    monkeypatch.setattr(module, "_copy", copy)
    # Whatever lies under the name of a file is looked at, not trusted.
    (tmp_path / "back" / "front.json").write_text("{")
    assert storage.download("a", tmp_path / "back") == 3
    assert storage.download("a", tmp_path / "back") == 0


def test_a_damaged_file_is_refused(tmp_path, run):
    storage = Storage(str(tmp_path / "store"))
    storage.upload(run, "a")
    (tmp_path / "store" / "a" / "front.json").write_text("[]")
    with pytest.raises(WorkFailed, match=r"front\.json differs from the list of files"):
        storage.download("a", tmp_path / "back")
    assert "front.json" not in contents(tmp_path / "back")


@pytest.mark.parametrize("path", ["../out", "/etc/x", "a/../../out", "a//b", "", ".", "a/.b", "a\0b"])
def test_a_list_that_leads_out_of_the_folder_is_refused(tmp_path, run, path):
    storage = Storage(str(tmp_path / "store"))
    storage.upload(run, "a")
    listing = tmp_path / "store" / "a" / manifests.NAME
    record = json.loads(listing.read_text())
    record["files"][path] = {"size": None, "sha256": None}
    listing.write_text(json.dumps(record))
    (tmp_path / "store" / "out").write_text("stolen")
    with pytest.raises(InputError, match="not a plain path inside the folder"):
        storage.download("a", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_link_in_the_folder_is_not_followed_out_of_it(tmp_path, run):
    storage = Storage(str(tmp_path / "store"))
    storage.upload(run, "a")
    (tmp_path / "back").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "back" / "trials").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="through a link"):
        storage.download("a", tmp_path / "back")
    assert contents(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "[" * 100_000),
        '{"schema_version": 1, "files": []}',
        '{"schema_version": 1, "files": {"a": {"size": -1, "sha256": null}}}',
        '{"schema_version": 1, "files": {"a": {"size": 1, "sha256": "x"}}}',
        '{"schema_version": 1, "files": {"a": {"size": 1, "sha256": null}}}',
        f'{{"schema_version": 1, "files": {{"a": {{"size": null, "sha256": "{"0" * 64}"}}}}}}',
        '{"schema_version": 1, "files": {"a": {"size": null, "sha256": null, "at_most": -1}}}',
    ],
)
def test_a_malformed_list_is_named(tmp_path, run, text):
    storage = Storage(str(tmp_path / "store"))
    storage.upload(run, "a")
    (tmp_path / "store" / "a" / manifests.NAME).write_text(text)
    with pytest.raises(InputError, match="store/a: not a list of files"):
        storage.files("a")


def test_a_list_of_another_version_is_named(tmp_path, run):
    storage = Storage(str(tmp_path / "store"))
    storage.upload(run, "a")
    (tmp_path / "store" / "a" / manifests.NAME).write_text('{"schema_version": 2, "folders": []}')
    with pytest.raises(InputError, match="store/a: written by another version of the project"):
        storage.files("a")


def test_what_is_not_there_is_named_with_what_is(storage, run):
    storage.upload(run, "a")
    with pytest.raises(InputError, match=r"b: nothing has been stored there; .* has a"):
        storage.files("b")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("runs", "is not a storage: name a URI"),
        ("", "is not a storage: name a URI"),
        ("file://host/runs", "is not a storage: name a URI"),
        ("foo://runs", "Protocol not known: foo"),
        ("sftp://host/runs", "paramiko"),
    ],
)
def test_a_uri_of_nothing_is_refused(uri, message):
    with pytest.raises(InputError, match=message):
        Storage(uri)


def test_storage_that_cannot_be_written_to_is_named(tmp_path, run):
    (tmp_path / "store").write_text("a file")
    with pytest.raises(WorkFailed, match="store/a: the storage cannot"):
        Storage(str(tmp_path / "store")).upload(run, "a")


KILLED = """
import os, sys
from nas.launch import storage

def half(source, target):
    target.write(b"half")
    target.flush()
    os._exit(9)

storage._copy = half
storage.Storage(sys.argv[1]).upload(sys.argv[2], "a")
"""


def test_what_a_killed_writer_has_left_is_removed_by_the_next(run, tmp_path):
    store = tmp_path / "store"
    killed = subprocess.run([sys.executable, "-c", KILLED, store, run], check=False)
    assert killed.returncode == 9
    assert len(list(store.rglob("*.tmp"))) == 1
    Storage(str(store)).upload(run, "a")
    assert not list(store.rglob("*.tmp"))
    Storage(str(store)).download("a", tmp_path / "back")
    (run / ".lock").unlink()
    assert contents(tmp_path / "back") == contents(run)


def test_what_a_killed_writer_has_left_is_replaced_through_fsspec(run, tmp_path):
    memory = fsspec.filesystem("memory")
    memory.pipe(f"/{tmp_path.name}/a/.front.json.tmp", b"half" * 1000)
    storage = Storage(f"memory://{tmp_path.name}")
    storage.upload(run, "a")
    assert not any(path.endswith(".tmp") for path in memory.find(f"/{tmp_path.name}"))
    storage.download("a", tmp_path / "back")
    assert (tmp_path / "back" / "front.json").read_text() == "{}"


def test_a_file_that_is_replaced_is_at_most_as_large_as_the_larger_of_the_two():
    old, new = manifests.Entry(10, "0" * 64), manifests.Entry(20, "1" * 64)
    between = manifests.from_bytes(manifests.to_bytes({"a": manifests.replaced(old, new)}), "a")["a"]
    assert between == manifests.REPLACED
    assert between.max_bytes == 20
    assert between.allows(old)
    assert not between.allows(manifests.Entry(21, "1" * 64))
    assert not new.allows(old)
