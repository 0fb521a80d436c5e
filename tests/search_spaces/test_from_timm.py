"""Models of timm as backbones: cut as they compute, with heads for maps and tokens, and weights from a file."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from nas.errors import InputError
from nas.networks.backbone import Backbone
from nas.networks.branched import BranchedNetwork
from nas.tasks.task import Task
from nas.tree import BranchTree
from search_spaces import from_timm

TASKS = [
    Task(name="semseg", num_outputs=4, loss="cross_entropy", metrics=("mean_iou",), dense=True),
    Task(name="scene", num_outputs=3, loss="cross_entropy", metrics=("accuracy",), dense=False),
]
TINY_VIT = {"img_size": 32, "depth": 2, "embed_dim": 24, "num_heads": 2}
# Name, options, input_shape, names of the first and the last block, number of blocks, taps, channel_dim.
MODELS: list[tuple[str, dict[str, Any], tuple[int, ...] | None, tuple[str, str], tuple[int, ...], int]] = [
    ("resnet18", {}, (3, 64, 64), ("layer1.0", "layer4.1"), (1, 3, 5, 7), 1),
    ("convnext_atto", {}, (3, 64, 64), ("stages.0.blocks.0", "stages.3.blocks.1"), (1, 3, 9, 11), 1),
    ("vit_tiny_patch16_224", TINY_VIT, None, ("blocks.0", "blocks.1"), (1,), -1),
]


@pytest.fixture
def timm() -> Any:
    return pytest.importorskip("timm")


@pytest.mark.parametrize(("name", "options", "shape", "ends", "taps", "channel_dim"), MODELS)
def test_a_model_is_cut_into_what_it_computes(
    timm: Any, name: str, options: dict[str, Any], shape: Any, ends: Any, taps: Any, channel_dim: int
) -> None:
    backbone = from_timm(name, options=options, input_shape=shape)
    assert isinstance(backbone, Backbone)
    assert (backbone.block_names[0], backbone.block_names[-1], backbone.taps) == (*ends, taps)
    assert set(backbone.channel_dim) == {channel_dim}
    assert backbone.weights_report is None
    model = timm.create_model(name, num_classes=0, **options)
    backbone = replace(backbone, source=model)
    torch.manual_seed(0)
    x = torch.rand(2, *backbone.input_shape)
    y = backbone.make_stem().eval()(x)
    for l in range(backbone.num_blocks):
        y = backbone.make_block(l).eval()(y)
    assert torch.equal(y, model.eval().forward_features(x))


@pytest.mark.parametrize(("name", "options", "shape"), [model[:3] for model in MODELS])
def test_the_ready_heads_fit(timm: Any, name: str, options: dict[str, Any], shape: Any) -> None:
    backbone = from_timm(name, options=options, input_shape=shape)
    tree = BranchTree.separate(["semseg", "scene"], backbone.num_blocks)
    height, width = backbone.input_shape[1:]
    outputs = BranchedNetwork(backbone, TASKS, tree)(torch.rand(2, 3, height, width))
    assert {task: tuple(out.shape) for task, out in outputs.items()} == {
        "semseg": (2, 4, height, width),
        "scene": (2, 3),
    }


def test_weights_come_from_a_file_with_timms_names(timm: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = timm.create_model("resnet18")
    path = tmp_path / "resnet18.safetensors"
    safetensors.torch.save_file(model.state_dict(), path)
    backbone = from_timm("resnet18", pretrained=path, input_shape=(3, 64, 64))
    assert backbone.weights_report == str(path)
    block = backbone.make_block(1)
    expected = dict(model.layer1[1].named_parameters())
    assert len(list(block.parameters())) == len(expected)
    assert all(torch.equal(a, b) for a, b in zip(block.parameters(), expected.values(), strict=True))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [({"conv1.weight": torch.zeros(2)}, r"conv1.weight has shape \[2\]"), ({"x": torch.zeros(2)}, "with timm's names")],
)
def test_a_file_of_other_weights_is_refused(timm: Any, tmp_path: Path, tensors: Any, message: str) -> None:
    safetensors.torch.save_file(tensors, tmp_path / "x.safetensors")
    backbone = from_timm("resnet18", pretrained=tmp_path / "x.safetensors", input_shape=(3, 64, 64))
    with pytest.raises(InputError, match=message):
        backbone.make_stem()


def test_looking_at_a_model_changes_no_random_numbers(timm: Any) -> None:
    state = torch.random.get_rng_state()
    from_timm("resnet18", input_shape=(3, 64, 64))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "no_such_net"}, r"timm cannot make 'no_such_net' \(.*\): see timm.list_models"),
        ({"name": "resnet18", "options": {"no_such_option": 1}}, "timm cannot make 'resnet18' .*no_such_option"),
        (
            {"name": "resnet18", "options": {"checkpoint_path": "x"}},
            "options has 'checkpoint_path': give the weights as",
        ),
    ],
)
def test_wrong_names_and_options_are_refused(timm: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        from_timm(**arguments)
    assert "\n" not in str(caught.value)


class Missing:
    """An import system without timm, or with one that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "timm":
            raise self.error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModuleNotFoundError("no", name="timm"), r"timm is not installed: pip install branched-nas\[timm\]"),
        (ModuleNotFoundError("no", name="torchvision"), "timm needs torchvision, which is not installed"),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            r"timm cannot be imported \(.*nms.*torchvision that",
        ),
    ],
)
def test_a_missing_timm_is_said(monkeypatch: pytest.MonkeyPatch, error: Exception, message: str) -> None:
    for name in [name for name in sys.modules if name == "timm" or name.startswith("timm.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(error), *sys.meta_path])
    with pytest.raises(InputError, match=message):
        from_timm("resnet18")
