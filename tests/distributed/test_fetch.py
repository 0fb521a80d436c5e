"""Bringing a run folder from the storage."""

import json
from pathlib import Path

import pytest

from nas.cli.main import run
from nas.distributed import manifest as manifests
from nas.distributed.jobs import fetch
from nas.distributed.run_storage import RunStorage
from nas.distributed.storage import Storage
from nas.errors import InputError, WorkFailed

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
    assert "no plain path inside the folder" in capsys.readouterr().err
    assert not list((tmp_path / "a").rglob("evil"))
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("name", ["..", "a/b", "/etc", ""])
def test_a_name_is_one(stored, tmp_path, name):
    with pytest.raises(InputError, match="is no name of a job"):
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
    with pytest.raises(InputError, match="say with --storage"):
        fetch("digits-1", out=out)
    assert not out.exists()
