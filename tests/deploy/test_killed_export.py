"""What stands under an export's name is whole and verified, however the export ends; a repetition works."""

import importlib
import shutil

import pytest
from small_digits import refused

import nas
from nas.cli.main import run
from nas.deploy import FORMATS, open_model
from nas.errors import WorkFailed

export_module = importlib.import_module("nas.commands.export")
bundle_module = importlib.import_module("nas.deploy.formats.bundle")


def bundle_to(folder, trained, *arguments):
    return run(["export", str(trained), "--format", "bundle", "--out", str(folder), *arguments])


def test_a_bundle_has_its_name_when_it_is_verified(trained, tmp_path, monkeypatch):
    out, seen = tmp_path / "out" / "bundle", []
    load = bundle_module.load_bundle

    def loaded(folder, **named):
        seen.append((folder == out, out.exists()))
        return load(folder, **named)

    monkeypatch.setattr(bundle_module, "load_bundle", loaded)
    assert bundle_to(out, trained) == 0
    assert seen == [(False, False)]
    assert nas.load_bundle(out).description.verified is not None
    assert [path.name for path in out.parent.iterdir()] == ["bundle"]


def test_a_bundle_that_gives_other_outputs_is_not_kept(trained, tmp_path, monkeypatch, capsys):
    load = bundle_module.load_bundle

    def damaged(folder, **named):
        bundle = load(folder, **named)
        next(bundle.network.parameters()).add_(1.0)
        return bundle

    monkeypatch.setattr(bundle_module, "load_bundle", damaged)
    assert bundle_to(tmp_path / "bundle", trained) == 1
    assert "the bundle gives other outputs than the network for left" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_bundle_whose_export_was_killed_at_the_end_is_finished_by_a_repetition(
    trained, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "killed"
    with monkeypatch.context() as patched:
        patched.setattr(export_module, "write_json_atomically", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert bundle_to(out, trained) == 130
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    # Another export than the one that was killed is not mixed with it.
    assert "name a new or empty folder" in refused(
        capsys, "export", trained, "--format", "bundle", "--tasks", "left", "--out", out
    )
    assert bundle_to(out, trained) == 0
    assert (trained / "exports" / "killed.json").is_file()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert "is there already" in refused(capsys, "export", trained, "--format", "bundle", "--out", out)
    assert [path.name for path in tmp_path.iterdir()] == ["killed"]


def test_what_a_killed_export_has_left_is_removed_by_the_next(trained, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        # As if the process were gone before it could clean up.
        patched.setattr(shutil, "rmtree", lambda *_, **__: None)
        patched.setattr(bundle_module, "describe_bundle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert bundle_to(tmp_path / "bundle", trained) == 130
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".")
    assert bundle_to(tmp_path / "bundle", trained) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_graph_that_cannot_be_read_as_it_was_written_is_not_kept(exported, tmp_path):
    _, _, folder = exported
    data, described = (folder / "network.pt2").read_bytes(), open_model(folder / "network.pt2").description
    path = tmp_path / "model.pt2"
    path.write_bytes(b"the one before")
    with pytest.raises(nas.InputError, match=r"model\.pt2: "):
        FORMATS["pt2"].write_file(path, data[:-100], described)
    with pytest.raises(WorkFailed, match="cannot be read as it was written"):
        FORMATS["pt2"].write_file(path, data, described.model_copy(update={"answers": True}))
    assert path.read_bytes() == b"the one before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.pt2"]
    FORMATS["pt2"].write_file(path, data, described)
    assert path.read_bytes() == data
