"""`nas export` from a run folder; the networks are those of the small digits, trained for an epoch."""

import json
from pathlib import Path

import pytest
import torch
from small_digits import RECIPE, changes, refused

import nas
from nas.cli.main import run
from nas.datasets.dense_tasks import scene_tasks
from nas.datasets.digits import digit_tasks
from nas.deploy import output_kind
from nas.tasks import Task
from nas.tasks.losses import cross_entropy
from nas.tree import BranchTree, read_tree, write_tree

SMALL = changes(backbone__widths=[4, 6], backbone__strided=[1])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with one retrained tree of all six tasks."""
    folder = tmp_path_factory.mktemp("digits")
    names = [task.name for task in digit_tasks()]
    write_tree(BranchTree.from_choices(names, [[0] * 6, [0, 0, 0, 1, 1, 1]]), folder / "tree.json")
    arguments = ["retrain", RECIPE, "--tree", str(folder / "tree.json"), "--out", str(folder / "run"), *SMALL]
    assert run(arguments) == 0
    return folder / "run"


def test_a_bundle_of_a_run(trained, tmp_path, capsys):
    assert run(["export", str(trained), "--format", "bundle", "--out", str(tmp_path / "bundle"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    record = json.loads((trained / "exports" / "bundle.json").read_text())
    assert printed == {"path": str(tmp_path / "bundle"), **record}
    result = json.loads(next(trained.glob("retrained/*/*/result.json")).read_text())
    assert record["measured"] == {"split": "test", "metrics": result["test"]}
    assert record["verified"]["samples"] == "test split"
    assert set(record["verified"]["deviation"].values()) == {0.0}, "the same network on the same machine"
    assert record["input"]["pixels"] is not None
    assert read_tree(tmp_path / "bundle" / "tree.json").cost == record["cost"]
    assert (tmp_path / "bundle" / "tree.png").stat().st_size > 1000
    card = (tmp_path / "bundle" / "README.md").read_text()
    for words in ("Classes of left: 0, 1, 2,", "0 left, 1 neither", "Height and width may be others.", "accuracy"):
        assert words in card
    bundle = nas.load_bundle(tmp_path / "bundle")
    assert bundle(torch.zeros(2, 1, 12, 20))["restore"].shape == (2, 1, 12, 20)
    line = refused(capsys, "export", trained, "--format", "bundle", "--out", tmp_path / "bundle")
    assert "is there already; name a new or empty folder" in line


def test_a_sub_tree_with_pre_and_postprocessing_as_onnx(trained, capsys):
    arguments = ["export", str(trained), "--format", "onnx", "--tasks", "left,restore", "--preprocess", "--postprocess"]
    assert run(arguments) == 0
    printed = capsys.readouterr().out
    path = Path(printed.splitlines()[0])
    assert path.parent == trained / "exports"
    assert path.name.endswith("-left-restore.onnx")
    model = nas.open_model(path)
    assert [task.name for task in model.tasks] == ["left", "restore"]
    assert model.description.verified.macs == model.description.cost["macs"]
    assert "largest deviation" in printed
    record = json.loads((trained / "exports" / f"{path.name}.json").read_text())
    assert record["verified"]["deviation"] == model.description.verified.deviation
    outputs = model(torch.randint(0, 256, (3, 1, 12, 20), generator=torch.Generator().manual_seed(0)).byte())
    torch.testing.assert_close(outputs["left"].sum(1), torch.ones(3)), "probabilities of one class of ten"


def test_data_that_are_not_here_are_said_to_be(trained, tmp_path, monkeypatch, capsys):
    def missing(**_):
        raise nas.InputError("no such folder")

    monkeypatch.setattr("nas.datasets.digits.source._load_scans", missing)
    done = nas.export(trained, format="pt2", tasks=["left"], out=tmp_path / "left.pt2")
    assert done.description.verified.samples.startswith("random numbers, as the data are not here")
    assert done.description.input.pixels is None
    with pytest.raises(nas.InputError, match=r"`preprocess`: data .* do not say how pixels become inputs"):
        nas.export(trained, format="pt2", tasks=["left"], out=tmp_path / "left.pt2", preprocess=True)


def test_what_cannot_be_exported_is_refused(trained, tmp_path, capsys):
    def line(*arguments):
        return refused(capsys, "export", trained, *arguments)

    assert "tree" in line("--format", "pt2", "--tasks", "left,other")
    assert "is called *.onnx" in line("--format", "onnx", "--out", tmp_path / "x.pt2")
    assert "format bundle does not support --postprocess" in line("--format", "bundle", "--postprocess")
    assert "no tree 'ffff'" in line("--format", "pt2", "--tree", "ffff")
    assert "--format" in line("--format", "tflite")
    assert "no such checkpoint" in line("--format", "pt2", "--checkpoint", trained / "retrained" / "x.pt")


def test_kinds_of_outputs():
    kinds = {task.name: output_kind(task) for task in (*digit_tasks(), *scene_tasks())}
    assert kinds == {
        **dict.fromkeys(("left", "right", "sum", "larger", "semseg", "parts"), "classes"),
        **dict.fromkeys(("ink", "restore"), "values"),
        **dict.fromkeys(("edge", "sal"), "binary"),
        "normals": "directions",
        "depth": "depth",
    }
    own = {"name": "own", "num_outputs": 4, "loss": lambda outputs, labels: outputs.sum()}
    assert output_kind(Task(**own, metrics=("accuracy",))) == "classes"
    assert output_kind(Task(**own, metrics=("mae",))) == "values"
    assert output_kind(Task(**{**own, "loss": cross_entropy}, metrics=("mae",))) == "classes"
    assert output_kind(Task(**{**own, "num_outputs": 1}, metrics=("f1",))) == "binary"
