"""Weights with torchvision's names: every value in its place, and files that are refused."""

import functools
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.errors import InputError
from nas.networks.backbone.protocol import Backbone
from search_spaces.mobilenet_v2 import MobileNetV2
from search_spaces.resnet import ResNet

StateDict = dict[str, Tensor]


def with_conv(state: StateDict, name: str, norm: str, shape: tuple[int, ...]) -> None:
    """A convolution's and its BatchNorm's names, with values that keep the features near 1."""
    state[f"{name}.weight"] = torch.randn(shape) * (2 / shape[1:].numel()) ** 0.5
    channels = shape[0]
    state[f"{norm}.weight"] = torch.rand(channels) + 0.5
    state[f"{norm}.bias"] = torch.randn(channels) * 0.1
    state[f"{norm}.running_mean"] = torch.randn(channels) * 0.1
    state[f"{norm}.running_var"] = torch.rand(channels) + 0.5
    state[f"{norm}.num_batches_tracked"] = torch.tensor(7)


def conv_shape(*shape: int) -> torch.Size:
    return torch.Size(shape)


@functools.cache
def mobilenet_v2_weights() -> StateDict:
    """Names and shapes of torchvision.models.mobilenet_v2(), random values."""
    torch.manual_seed(0)
    state: StateDict = {}
    with_conv(state, "features.0.0", "features.0.1", conv_shape(32, 3, 3, 3))
    stages = [(16, 1, 1), (24, 2, 6), (32, 3, 6), (64, 4, 6), (96, 3, 6), (160, 3, 6), (320, 1, 6)]
    k, width = 1, 32
    for channels, repeats, expansion in stages:
        for _ in range(repeats):
            conv, hidden = f"features.{k}.conv", width * expansion
            i = 0
            if expansion > 1:
                with_conv(state, f"{conv}.0.0", f"{conv}.0.1", conv_shape(hidden, width, 1, 1))
                i = 1
            with_conv(state, f"{conv}.{i}.0", f"{conv}.{i}.1", conv_shape(hidden, 1, 3, 3))
            with_conv(state, f"{conv}.{i + 1}", f"{conv}.{i + 2}", conv_shape(channels, hidden, 1, 1))
            k, width = k + 1, channels
    with_conv(state, "features.18.0", "features.18.1", conv_shape(1280, 320, 1, 1))
    return state | {"classifier.1.weight": torch.zeros(1000, 1280), "classifier.1.bias": torch.zeros(1000)}


@functools.cache
def resnet_weights(depth: int) -> StateDict:
    """Names and shapes of torchvision.models.resnet18() or resnet50(), random values."""
    torch.manual_seed(0)
    state: StateDict = {}
    with_conv(state, "conv1", "bn1", conv_shape(64, 3, 7, 7))
    width = 64
    for stage, repeats in enumerate((2, 2, 2, 2) if depth == 18 else (3, 4, 6, 3)):
        c = 64 << stage
        kernels = (
            [(c, width, 3, 3), (c, c, 3, 3)] if depth == 18 else [(c, width, 1, 1), (c, c, 3, 3), (4 * c, c, 1, 1)]
        )
        out = kernels[-1][0]
        for i in range(repeats):
            block = f"layer{stage + 1}.{i}"
            for j, shape in enumerate(kernels, 1):
                with_conv(state, f"{block}.conv{j}", f"{block}.bn{j}", conv_shape(*shape))
            if i == 0 and width != out:
                with_conv(state, f"{block}.downsample.0", f"{block}.downsample.1", conv_shape(out, width, 1, 1))
            width = out
            kernels[0] = (c, width, *kernels[0][2:])
    return state | {"fc.weight": torch.zeros(1000, width), "fc.bias": torch.zeros(1000)}


def conv_bn(state: StateDict, x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
    weight = state[f"{conv}.weight"]
    x = F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=x.shape[1] // weight.shape[1])
    mean, var, scale, shift = (state[f"{norm}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, mean, var, scale, shift)


def save(state: StateDict, path: Path) -> Path:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path)
    return path


def prefixes(backbone: Backbone) -> dict[str, nn.Module]:
    if isinstance(backbone, MobileNetV2):
        return {
            "features.0.": backbone.make_stem(),
            **{f"features.{l + 1}.": backbone.make_block(l) for l in range(17)},
        }
    assert isinstance(backbone, ResNet)
    names = [
        f"layer{s + 1}.{i}."
        for s, n in enumerate((2, 2, 2, 2) if backbone.depth == 18 else (3, 4, 6, 3))
        for i in range(n)
    ]
    if backbone.granularity == "stage":
        names = [f"layer{s}." for s in (1, 2, 3, 4)]
    return {"": backbone.make_stem(), **{name: backbone.make_block(l) for l, name in enumerate(names)}}


CASES: dict[str, tuple[Callable[[], StateDict], Callable[[Path | None], Any]]] = {
    "mobilenet_v2": (mobilenet_v2_weights, lambda path: MobileNetV2(weights=path)),
    "resnet18": (lambda: resnet_weights(18), lambda path: ResNet(18, weights=path)),
    "resnet50 in stages": (lambda: resnet_weights(50), lambda path: ResNet(50, granularity="stage", weights=path)),
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", list(CASES))
def test_every_value_arrives_in_every_candidate(name: str, suffix: str, tmp_path: Path) -> None:
    weights, make = CASES[name]
    state = weights()
    backbone = make(save(state, tmp_path / f"weights{suffix}"))
    for _ in range(2):
        for prefix, part in prefixes(backbone).items():
            for key, value in part.state_dict().items():
                assert torch.equal(value, state[prefix + key]), prefix + key


@pytest.mark.parametrize("name", list(CASES))
def test_candidates_do_not_share_memory_with_each_other(name: str, tmp_path: Path) -> None:
    weights, make = CASES[name]
    backbone = make(save(weights(), tmp_path / "weights.safetensors"))
    with torch.no_grad():
        for parameter in backbone.make_block(0).parameters():
            parameter.fill_(9.0)
    assert not any((p == 9.0).all() for p in backbone.make_block(0).parameters())


def test_mobilenet_v2_computes_what_its_weights_were_trained_for(tmp_path: Path) -> None:
    """Against torchvision's forward, written with its names."""
    state = mobilenet_v2_weights()
    backbone = MobileNetV2(output_stride=32, weights=save(state, tmp_path / "weights.pth"))
    x = torch.randn(1, 3, 65, 97)
    actual = x
    for part in prefixes(backbone).values():
        actual = part.eval()(actual)

    x = F.relu6(conv_bn(state, x, "features.0.0", "features.0.1", stride=2))
    for k in range(1, 18):
        conv, y, i = f"features.{k}.conv", x, 0
        if k > 1:
            y, i = F.relu6(conv_bn(state, y, f"{conv}.0.0", f"{conv}.0.1")), 1
        y = F.relu6(conv_bn(state, y, f"{conv}.{i}.0", f"{conv}.{i}.1", stride=2 if k in (2, 4, 7, 14) else 1))
        y = conv_bn(state, y, f"{conv}.{i + 1}", f"{conv}.{i + 2}")
        x = x + y if k in (3, 5, 6, 8, 9, 10, 12, 13, 15, 16) else y
    # The same operations in the same order.
    torch.testing.assert_close(actual, x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("depth", [18, 50])
def test_resnet_computes_what_its_weights_were_trained_for(depth: Any, tmp_path: Path) -> None:
    """Stages 1 to 3, which keep their strides, against torchvision's forward, written with its names."""
    state = resnet_weights(depth)
    backbone = ResNet(depth, granularity="stage", decoder="aspp", weights=save(state, tmp_path / "weights.pth"))
    x = torch.randn(1, 3, 65, 97)
    actual = x
    for part in list(prefixes(backbone).values())[:4]:
        actual = part.eval()(actual)

    x = F.max_pool2d(F.relu(conv_bn(state, x, "conv1", "bn1", stride=2)), 3, 2, 1)
    strided = 1 if depth == 18 else 2
    for name in [f"layer{s}.{i}" for s in (1, 2, 3) for i in range(6) if f"layer{s}.{i}.conv1.weight" in state]:
        stride = 2 if name in ("layer2.0", "layer3.0") else 1
        y = x
        last = 2 if depth == 18 else 3
        for j in range(1, last + 1):
            y = conv_bn(state, y, f"{name}.conv{j}", f"{name}.bn{j}", stride=stride if j == strided else 1)
            y = F.relu(y) if j < last else y
        if f"{name}.downsample.0.weight" in state:
            x = conv_bn(state, x, f"{name}.downsample.0", f"{name}.downsample.1", stride=stride)
        x = F.relu(x + y)
    # The same operations in the same order.
    torch.testing.assert_close(actual, x, rtol=1e-6, atol=1e-6)


def test_report_and_one_log_line_list_what_did_not_meet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = dict(mobilenet_v2_weights())
    del state["features.3.conv.2.weight"], state["features.0.1.num_batches_tracked"]
    path = save(state, tmp_path / "weights.pth")
    backbone = MobileNetV2(weights=path)
    with caplog.at_level(logging.INFO, logger="search_spaces.pretrained"):
        prefixes(backbone)
        report = backbone.weights_report
    assert report is not None
    assert report.path == path
    # BatchNorm computes the same without the counter.
    assert report.missing == ("features.3.conv.2.weight",)
    assert set(report.unmatched) == {key for key in state if key.startswith(("features.18.", "classifier."))}
    assert set(report.loaded) | set(report.unmatched) == set(state)
    assert [record.getMessage() for record in caplog.records] == [str(report)]
    assert "features.3.conv.2.weight" in str(report)
    assert "classifier.1.bias" in str(report)
    assert "\n" not in str(report)


def test_no_file_is_opened_before_the_first_part_and_once_only(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    backbone = MobileNetV2(weights=path)
    assert backbone.num_blocks == 18
    save(mobilenet_v2_weights(), path)
    backbone.make_stem()
    path.unlink()
    backbone.make_block(3)


def test_parts_without_pretrained_weights_are_made_without_the_file(tmp_path: Path) -> None:
    backbone = MobileNetV2(weights=tmp_path / "missing.pth")
    backbone.make_block(17)


class RunsCode:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.marker),))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(zipped: bool, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "weights.pth"
    torch.save({"features.0.0.weight": RunsCode(marker)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"weights\.pth: not a state dict but a pickle of other objects"):
        MobileNetV2(weights=path).make_stem()
    assert not marker.exists()
    # What the test guards against does run where nothing guards.
    pickle.loads(pickle.dumps(RunsCode(marker)))
    assert marker.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused(suffix: str, kept: float, tmp_path: Path) -> None:
    path = save(resnet_weights(18), tmp_path / f"weights{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match=rf"weights\{suffix}: damaged"):
        ResNet(18, weights=path).make_block(0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pth", None, r"a\.pth: no such file"),
        ("a.onnx", b"", r"a\.onnx: weights are read from \.pth, \.pt or \.safetensors, not \.onnx"),
        ("a.pth", b"<html>not found</html>", r"a\.pth: .* damaged"),
        ("a.pth", {"epoch": 3}, r"a\.pth: not a state dict"),
        ("a.pth", torch.zeros(3), r"a\.pth: not a state dict"),
        (
            "a.pth",
            {"encoder.weight": torch.zeros(3)},
            r"a\.pth: none of its names, such as encoder\.weight, is one of this backbone's, such as features\.0",
        ),
        (
            "a.pth",
            {"features.0.0.weight": torch.zeros(16, 3, 3, 3)},
            r"a\.pth: features\.0\.0\.weight has shape \[16, 3, 3, 3\], this backbone needs \[32, 3, 3, 3\]",
        ),
    ],
)
def test_files_that_do_not_fit_are_refused(name: str, content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=message) as caught:
        MobileNetV2(weights=path).make_stem()
    assert "\n" not in str(caught.value)


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    path = save(mobilenet_v2_weights(), tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"weights\.pth: features.* has shape .*, this backbone needs"):
        MobileNetV2(width=0.5, weights=path).make_block(3)
