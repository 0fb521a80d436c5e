"""A format of one's own: an object in the table is exported to, opened, predicted with and evaluated."""

import json
import pickle

import pytest
import torch
from small_digits import refused

import nas
from nas.cli.main import run
from nas.datasets.digits import digit_tasks
from nas.deploy import FORMATS
from nas.deploy.formats import GraphFormat
from nas.deploy.program import load_program, to_bytes

HEADER = b"reversed"


def from_reversed_bytes(data, where):
    if not data.startswith(HEADER):
        raise nas.InputError(f"{where}: not a reversed file")
    return load_program(data.removeprefix(HEADER)[::-1], where)


REVERSED = GraphFormat(
    "reversed",
    ".rev",
    lambda model, described: HEADER + to_bytes(model, described)[::-1],
    from_reversed_bytes,
    options=frozenset({"preprocess"}),
)
"""A .pt2 written from its end to its beginning."""


def test_a_format_is_one_object_in_the_table(trained, tmp_path, monkeypatch, capsys):
    out = tmp_path / "model.rev"
    assert "'reversed' is not one of bundle, onnx, pt2" in refused(capsys, "export", trained, "--format", "reversed")
    monkeypatch.setitem(FORMATS, "reversed", REVERSED)

    assert run(["export", str(trained), "--format", "reversed", "--out", str(out), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["format"] == "reversed"
    assert described["verified"]["deviation"]
    model = nas.open_model(out)
    assert set(model(torch.zeros(2, 1, 12, 20))) == {task.name for task in digit_tasks()}
    assert run(["evaluate", str(trained), "--checkpoint", str(out), "--split", "test"]) == 0

    assert "is called *.rev" in refused(
        capsys, "export", trained, "--format", "reversed", "--out", tmp_path / "model.pt2"
    )
    assert "format reversed does not support --postprocess; leave it out, or export onnx or pt2" in refused(
        capsys, "export", trained, "--format", "reversed", "--postprocess"
    )
    assert run(["export", str(trained), "--format", "reversed", "--preprocess"]) == 0
    # Its suffix leads to its own loader.
    out.write_bytes(pickle.dumps(3))
    with pytest.raises(nas.InputError, match="not a reversed file"):
        nas.open_model(out)
    renamed = tmp_path / "renamed.pt2"
    assert run(["export", str(trained), "--format", "pt2", "--out", str(renamed)]) == 0
    out.write_bytes(HEADER + renamed.read_bytes()[::-1])
    with pytest.raises(nas.InputError, match="describes itself as pt2"):
        nas.open_model(out)
