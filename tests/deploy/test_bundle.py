import hashlib
import json
import shutil

import pytest
import safetensors.torch
import torch
from deployed import Canary, describe, make_network
from small_digits import refused

from nas.deploy import load_bundle, model_card, open_model, write_bundle
from nas.deploy.bundle import CARD, RECORD, TREE, WEIGHTS
from nas.deploy.exported_network import ExportedNetwork
from nas.errors import InputError
from nas.tree import BranchTree, read_tree, write_tree


@pytest.fixture
def bundle(exported, tmp_path):
    """A copy for one test to spoil."""
    return shutil.copytree(exported[2] / "network.bundle", tmp_path / "bundle")


def change(bundle, **fields):
    """Fields of ``bundle.json``, "__" standing for a step down."""
    record = json.loads((bundle / RECORD).read_text())
    for path, value in fields.items():
        *parents, last = path.split("__")
        place = record
        for name in parents:
            place = place[name]
        place[last] = value
    (bundle / RECORD).write_text(json.dumps(record))


def test_a_bundle_gives_the_network_back(exported, bundle):
    network, inputs, _ = exported
    loaded = load_bundle(bundle)
    with torch.no_grad():
        expected = network(inputs)
    for name, output in loaded(inputs).items():
        assert torch.equal(output, expected[name])
    assert loaded.tree == network.tree
    assert [task.name for task in loaded.tasks] == list(network.tree.tasks)
    assert not loaded.network.training
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())
    model = open_model(bundle)
    for name, output in model(inputs).items():
        assert torch.equal(output, expected[name])
    assert model.answers(inputs)["semseg"].shape == (len(inputs), *inputs.shape[2:])


def test_a_task_from_a_bundle_has_the_loss_and_metrics_that_have_names(bundle, exported):
    tasks = {task.name: task for task in load_bundle(bundle).tasks}
    assert tasks["semseg"].loss == "cross_entropy"
    assert tasks["depth"].metrics == ("depth_rmse", "abs_rel", "delta1")
    assert tasks["semseg"].labels[0] == "sky"
    description = json.loads((bundle / RECORD).read_text())["description"]
    description["tasks"][0]["loss"] = None
    change(bundle, description=description)
    task = load_bundle(bundle).tasks[0]
    with pytest.raises(InputError, match="the loss of semseg was a function of the recipe"):
        task.loss(torch.zeros(1), torch.zeros(1))


def test_an_own_backbone_is_passed_and_never_imported(tmp_path):
    network, backbone, tasks, inputs, pixels = make_network("own", 1)
    described = describe(network, tasks, inputs, pixels, "bundle")
    write_bundle(
        tmp_path / "own", network, backbone, described, model_card(described, "own", picture=None, loads=False)
    )
    with pytest.raises(InputError, match=r"ModuleBackbone is not one of search_spaces .* in Python load_bundle\(path"):
        load_bundle(tmp_path / "own")
    loaded = load_bundle(tmp_path / "own", backbone=backbone)
    with torch.no_grad():
        assert all(torch.equal(output, network(inputs)[name]) for name, output in loaded(inputs).items())


def test_an_own_backbone_is_the_recipes_where_a_bundle_is_evaluated(tmp_path):
    network, backbone, tasks, inputs, pixels = make_network("own", 1)
    described = describe(network, tasks, inputs, pixels, "bundle")
    write_bundle(tmp_path / "own", network, backbone, described, "")
    exported = ExportedNetwork(tmp_path / "own", backbone)
    with torch.no_grad():
        assert all(torch.equal(output, network(inputs)[name]) for name, output in exported(inputs).items())


def test_the_card_says_what_one_needs(bundle):
    card = (bundle / CARD).read_text()
    for words in ("| semseg | one class of 15 | 15 x 32 x 40 |", "0 sky", "nas.load_bundle", "head normals"):
        assert words in card


def test_a_pickle_in_the_place_of_the_weights_does_not_run(bundle, tmp_path):
    canary = tmp_path / "canary"
    torch.save({"x": Canary(canary)}, bundle / WEIGHTS)
    with pytest.raises(InputError, match=r"is not what bundle\.json says it is"):
        load_bundle(bundle)
    sign(bundle)
    with pytest.raises(InputError, match="not a readable safetensors file"):
        load_bundle(bundle)
    assert not canary.exists()


def sign(bundle):
    """Whoever can replace the weights can replace their digest."""
    change(bundle, weights_sha256=hashlib.sha256((bundle / WEIGHTS).read_bytes()).hexdigest())


@pytest.mark.parametrize(
    "name", ["os.system", "search_spaces.from_module.from_module", "nas.deploy.bundle.Bundle", "evil.Backbone", ""]
)
def test_only_backbones_that_are_installed_are_made(bundle, name, tmp_path, monkeypatch):
    # A module that makes a file when it is imported, where Python would find it.
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w'); Backbone = dict")
    monkeypatch.syspath_prepend(tmp_path)
    change(bundle, backbone__type=name)
    with pytest.raises(InputError, match=r"is not one of search_spaces .* names in a file are never imported"):
        load_bundle(bundle)
    assert not (tmp_path / "canary").exists()


def test_arguments_are_checked(bundle):
    for args, message in (
        ({"widths": [4, 6]}, "takes dense_tasks, in_channels, strided, widths; found widths"),
        ({"widths": "many", "strided": [1], "dense_tasks": [], "in_channels": 3}, "widths: Input should be"),
        ({"widths": [4, -6], "strided": [1], "dense_tasks": [], "in_channels": 3}, "must be positive"),
        ({"widths": [4, 6, 8], "strided": [1], "dense_tasks": [], "in_channels": 3}, "the backbone 3"),
    ):
        change(bundle, backbone__args=args)
        with pytest.raises(InputError, match=message):
            load_bundle(bundle)


def test_a_backbone_that_opens_files_opens_none(bundle, tmp_path):
    args = {"width": 1.0, "output_stride": 16, "dropout": 0.0, "image_tasks": [], "weights": str(tmp_path / "x.pth")}
    change(bundle, backbone={"type": "search_spaces.mobilenet_v2.MobileNetV2", "args": args})
    with pytest.raises(InputError, match="takes dropout, image_tasks, output_stride, width; found"):
        load_bundle(bundle)


def test_huge_shapes_are_refused_before_they_are_allocated(bundle):
    # 36 * 10^14 numbers in one convolution.
    names = list(read_tree(bundle / TREE).tasks)
    args = {"widths": [10**7, 10**7], "strided": [1], "dense_tasks": names, "in_channels": 3}
    change(bundle, backbone__args=args)
    with pytest.raises(InputError, match="the network's"):
        load_bundle(bundle)


def test_a_tree_that_does_not_match_is_refused(bundle):
    tree = read_tree(bundle / TREE)
    other = BranchTree.separate(tree.tasks, len(tree.partitions))
    assert other != tree
    write_tree(other, bundle / TREE)
    with pytest.raises(InputError, match=r"tree\.json is not the tree that bundle\.json describes"):
        load_bundle(bundle)
    change(bundle, description__tree=other.to_dict())
    with pytest.raises(InputError, match=f"weights of tree {tree.id}, not of {other.id}"):
        load_bundle(bundle)
    tensors = safetensors.torch.load_file(bundle / WEIGHTS)
    safetensors.torch.save_file(tensors, bundle / WEIGHTS, metadata={"tree": other.id})
    sign(bundle)
    with pytest.raises(InputError, match="not the weights of the tree's network: it lacks blocks"):
        load_bundle(bundle)


def test_weights_of_other_shapes_types_and_names_are_refused(bundle):
    tensors = safetensors.torch.load_file(bundle / WEIGHTS)
    tree = read_tree(bundle / TREE).id
    for name, tensor, message in (
        ("stem.conv.weight", torch.zeros(1), r"stem\.conv\.weight has shape \[1\], the network's \[4, 3, 3, 3\]"),
        ("stem.conv.weight", tensors["stem.conv.weight"].double(), r"is of torch\.float64, the network's of"),
        ("other", torch.zeros(1), "it has other, which the network has no place for"),
    ):
        safetensors.torch.save_file({**tensors, name: tensor}, bundle / WEIGHTS, metadata={"tree": tree})
        sign(bundle)
        with pytest.raises(InputError, match=message):
            load_bundle(bundle)


def test_a_bundle_that_describes_a_graph_is_refused(bundle):
    for fields in ({"description__format": "onnx"}, {"description__answers": True}):
        change(bundle, **fields)
        with pytest.raises(InputError, match="describes an exported graph, not a bundle"):
            load_bundle(bundle)


def test_links_out_of_the_folder_are_refused(bundle, tmp_path):
    for name in (WEIGHTS, TREE, RECORD):
        (tmp_path / name).write_bytes((bundle / name).read_bytes())
        (bundle / name).unlink()
        (bundle / name).symlink_to(tmp_path / name)
        with pytest.raises(InputError, match="it is a link"):
            load_bundle(bundle)
        (bundle / name).unlink()
        (tmp_path / name).rename(bundle / name)
    assert load_bundle(bundle)


def test_damaged_bundles_are_named(bundle, tmp_path, capsys):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    weights = (bundle / WEIGHTS).read_bytes()
    (bundle / WEIGHTS).write_bytes(weights[: len(weights) // 2])
    line = refused(capsys, "predict", bundle, pictures, "--out", tmp_path / "out")
    assert line.endswith("is not what bundle.json says it is; it was damaged or replaced")
    sign(bundle)
    assert "not a readable safetensors file" in refused(capsys, "predict", bundle, pictures, "--out", tmp_path / "out")
    for text, message in (
        ("{", "not JSON"),
        ("[]", "not the record of a bundle"),
        ("{}", "not the record of a bundle"),
    ):
        (bundle / RECORD).write_text(text)
        assert message in refused(capsys, "predict", bundle, pictures, "--out", tmp_path / "out")
    (bundle / RECORD).unlink()
    assert "it has no bundle.json" in refused(capsys, "predict", bundle, pictures, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
