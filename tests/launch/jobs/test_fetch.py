"""Bringing a run folder from the storage."""

import json
import os
from pathlib import Path

import pytest

from nas.cli.main import run
from nas.errors import InputError, WorkFailed
from nas.launch import manifest as manifests
from nas.launch import storage as storage_module
from nas.launch.jobs import fetch
from nas.launch.run_storage import RunStorage
from nas.launch.storage import Storage

pytest.importorskip("pyarrow")


@pytest.fixture
def stored(tmp_path) -> Path:
    """A finished run with two trials, as a job keeps it."""
    folder, store = tmp_path / "run", tmp_path / "store"
    for path in ("experiment.json", "front.json", "trials/0/metrics.jsonl", "trials/1/trees/ab.json"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps({"path": path}))
    kept = RunStorage(str(store), "digits-1")
    kept.upload_run(folder)
    for number in (0, 1):
        kept.upload_trial(number, folder / "trials" / str(number))
    return store


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name[0] != "."}


ALL = {"experiment.json", "front.json", "trials/0/metrics.jsonl", "trials/1/trees/ab.json"}


@pytest.mark.parametrize("by_uri", [True, False])
def test_a_run_is_fetched_by_name_or_uri(stored, tmp_path, capsys, by_uri):
    out = tmp_path / "out"
    what = [f"{stored.as_uri()}/digits-1"] if by_uri else ["digits-1", "--storage", str(stored)]
    assert run(["fetch", *what, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": str(out), "finished": True}
    assert files(out) == ALL


def test_a_fetch_that_was_cut_off_goes_on(stored, tmp_path, monkeypatch):
    out, fetched = tmp_path / "out", []
    original = Storage._fetch

    def second_fails(self, source, target, entry):
        fetched.append(target.name)
        if len(fetched) == 2:
            raise OSError("connection lost")
        return original(self, source, target, entry)

    monkeypatch.setattr(Storage, "_fetch", second_fails)
    with pytest.raises(WorkFailed, match="connection lost"):
        fetch("digits-1", storage=str(stored), out=out)
    done = files(out)
    assert len(done) == 1
    assert not list(out.rglob(".*.tmp"))
    fetched[:] = ["first", "second"]
    assert fetch("digits-1", storage=str(stored), out=out).finished
    assert files(out) == ALL
    assert not {Path(path).name for path in done} & set(fetched[2:])


def test_a_running_search_is_fetched_again(stored, tmp_path):
    (stored / "digits-1" / "front.json").unlink()
    listing = stored / "digits-1" / manifests.NAME
    record = json.loads(listing.read_text())
    front = record["files"].pop("front.json")
    listing.write_text(json.dumps(record))
    out = tmp_path / "out"
    assert not fetch("digits-1", storage=str(stored), out=out).finished
    record["files"]["front.json"] = front
    (stored / "digits-1" / "front.json").write_text(json.dumps({"path": "front.json"}))
    listing.write_text(json.dumps(record))
    assert fetch("digits-1", storage=str(stored), out=out).finished


def test_nothing_is_written_outside_of_the_folder(stored, tmp_path, capsys):
    listing = stored / "digits-1" / "trials" / "1" / manifests.NAME
    record = json.loads(listing.read_text())
    record["files"]["../../../../evil"] = {"size": None, "sha256": None}
    listing.write_text(json.dumps(record))
    (stored / "evil").write_text("evil")
    assert run(["fetch", "digits-1", "--storage", str(stored), "--out", str(tmp_path / "a" / "out")]) == 2
    assert "not a plain path inside the folder" in capsys.readouterr().err
    assert not list((tmp_path / "a").rglob("evil"))
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("name", ["..", "a/b", "/etc", ""])
def test_a_name_is_one(stored, tmp_path, name):
    with pytest.raises(InputError, match="is not a name for a job"):
        fetch(name, storage=str(stored), out=tmp_path / "out")


def test_a_folder_of_something_else_is_left_alone(stored, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="is not empty, and was not fetched"):
        fetch("digits-1", storage=str(stored), out=out)
    other = tmp_path / "other"
    fetch("digits-1", storage=str(stored), out=other)
    RunStorage(str(stored), "digits-2").upload_run(tmp_path / "run")
    with pytest.raises(InputError, match=r"was fetched from '.*/digits-1', not from .*/digits-2"):
        fetch("digits-2", storage=str(stored), out=other)


def test_what_is_wrong_is_said_before_a_folder_is_made(stored, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"digits-3: nothing has been stored there; .* has digits-1"):
        fetch("digits-3", storage=str(stored), out=out)
    with pytest.raises(InputError, match="name the storage with `storage=URI`"):
        fetch("digits-1", out=out)
    assert not out.exists()


# A storage of somebody else's


def listed(folder: Path, path: str, fields: dict) -> None:
    """Put an entry into a folder's list of files."""
    record = json.loads((folder / manifests.NAME).read_text())
    record["files"][path] = fields
    (folder / manifests.NAME).write_text(json.dumps(record))


UNKNOWN = {"size": None, "sha256": None}


@pytest.mark.parametrize("what", ["file", "folder", "list", "trials", "run", "pipe"])
def test_no_link_in_a_storage_is_followed(stored, tmp_path, what):
    run_folder, secret = stored / "digits-1", tmp_path / "home"
    secret.mkdir()
    (secret / "id_rsa").write_text("PRIVATE")
    if what == "file":
        listed(run_folder, "notes.txt", UNKNOWN)
        (run_folder / "notes.txt").symlink_to(secret / "id_rsa")
    elif what == "folder":
        listed(run_folder, "figures/id_rsa", UNKNOWN)
        (run_folder / "figures").symlink_to(secret)
    elif what == "pipe":
        listed(run_folder, "notes.txt", UNKNOWN)
        os.mkfifo(run_folder / "notes.txt")
    else:
        # The same files, elsewhere.
        linked = {"list": run_folder / manifests.NAME, "trials": run_folder / "trials", "run": run_folder}[what]
        linked.rename(tmp_path / "elsewhere")
        linked.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"leads through a link|is not a file"):
        fetch("digits-1", storage=str(stored), out=tmp_path / "out")
    assert not any("PRIVATE" in path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert not list((tmp_path / "out").rglob(".*.tmp"))


def test_the_storage_itself_may_be_a_link(stored, tmp_path):
    (tmp_path / "link").symlink_to(stored)
    assert fetch("digits-1", storage=str(tmp_path / "link"), out=tmp_path / "out").finished


@pytest.mark.parametrize("fields", [UNKNOWN, {**UNKNOWN, "at_most": 1000}, {"size": 1000, "sha256": "0" * 64}])
def test_a_file_is_read_no_further_than_its_list_says(stored, tmp_path, monkeypatch, fields):
    listed(stored / "digits-1", "metrics.jsonl", fields)
    with open(stored / "digits-1" / "metrics.jsonl", "wb") as file:
        file.truncate(64 * 2**20 + 2)
    read = []
    copy = storage_module._copy
    monkeypatch.setattr(storage_module, "_copy", lambda *streams: read.append(copy(*streams)) or read[-1])
    with pytest.raises(WorkFailed, match=r"metrics\.jsonl differs from the list of files"):
        fetch("digits-1", storage=str(stored), out=tmp_path / "out")
    assert not (tmp_path / "out" / "metrics.jsonl").exists()
    assert max(entry.size for entry in read) == (64 * 2**20 if fields == UNKNOWN else 1000) + 1


def test_more_than_fits_onto_the_disk_is_refused_before_anything_is_read(stored, tmp_path):
    listed(stored / "digits-1", "weights.pt", {"size": 2**60, "sha256": "0" * 64})
    with pytest.raises(InputError, match=r"digits-1: has 1073741824\.0 GiB to fetch, and .*out has .* GiB left"):
        fetch("digits-1", storage=str(stored), out=tmp_path / "out")
    assert "experiment.json" not in files(tmp_path / "out")


def test_a_link_in_a_folder_that_was_fetched_is_not_written_through(stored, tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    fetch("digits-1", storage=str(stored), out=out)
    (out / "trials").rename(elsewhere)
    (elsewhere / "0" / "metrics.jsonl").unlink()
    (out / "trials").symlink_to(elsewhere)
    with pytest.raises(InputError, match="is a link; fetch into a new folder"):
        fetch("digits-1", storage=str(stored), out=out)
    assert not (elsewhere / "0" / "metrics.jsonl").exists()


def test_what_a_killed_fetch_has_left_is_removed(stored, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    first = out / f".{'0' * 16}.tmp"
    first.write_text("{")
    assert fetch("digits-1", storage=str(stored), out=out).finished
    assert not first.exists()
