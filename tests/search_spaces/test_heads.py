"""The ready heads: what they compute, in every layout of the features, and for which task which one is made."""

import inspect

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas.errors import InputError
from nas.networks.backbone import Backbone
from nas.tasks.task import Task
from search_spaces.heads import DenseHead, LinearHead, ready_head
from search_spaces.mobilenet_v2 import MobileNetV2
from search_spaces.resnet import ResNet


def task(dense: bool | None, name: str = "depth", num_outputs: int = 3) -> Task:
    return Task(name=name, num_outputs=num_outputs, loss="l1", metrics=("rmse",), dense=dense)


def tokens_of(features_BCHW: Tensor, num_prefix: int = 0) -> Tensor:
    """[B, C, H, W] as tokens [B, N, C], row by row, after some others."""
    tokens = features_BCHW.flatten(2).transpose(1, 2)
    return torch.cat([torch.full((len(tokens), num_prefix, tokens.shape[2]), 9.0), tokens], dim=1)


def test_a_linear_head_reads_the_mean_over_all_positions() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 3, 4)
    head = LinearHead(5, 3)
    expected = head.outputs(x.mean(dim=(2, 3)))
    torch.testing.assert_close(head((torch.zeros(2, 7, 9, 9), x), (12, 16)), expected)
    assert torch.equal(head((x[:, :, 0, 0],), ()), head.outputs(x[:, :, 0, 0]))
    last = LinearHead(5, 3, channel_dim=-1)
    last.load_state_dict(head.state_dict())
    torch.testing.assert_close(last((x.movedim(1, -1),), (12, 16)), expected)
    torch.testing.assert_close(last((tokens_of(x),), (12, 16)), expected)
    sequence = LinearHead(5, 3)
    sequence.load_state_dict(head.state_dict())
    torch.testing.assert_close(sequence((x.flatten(2),), (12,)), expected)


def test_a_linear_head_reads_the_class_token() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 4)
    head = LinearHead(4, 3, channel_dim=-1, class_token=True)
    assert torch.equal(head((x,), (8, 8)), head.outputs(x[:, 0]))


@pytest.mark.parametrize("fusion", ["sum", "concatenate"])
def test_a_dense_head_is_what_it_says(fusion: str) -> None:
    torch.manual_seed(0)
    fine, coarse = torch.randn(2, 4, 8, 6), torch.randn(2, 7, 3, 2)
    head = DenseHead((4, 7), 3, width=5, fusion=fusion).eval()
    x = F.conv2d(fine, head.reduce[0].weight)
    y = F.interpolate(F.conv2d(coarse, head.reduce[1].weight), size=(8, 6), mode="bilinear", align_corners=False)
    joint = x + y if fusion == "sum" else torch.cat([x, y], dim=1)
    mixed = F.relu(head.fuse[1](F.conv2d(joint, head.fuse[0].weight, padding=1)))
    outputs = F.conv2d(mixed, head.outputs.weight, head.outputs.bias)
    expected = F.interpolate(outputs, size=(31, 23), mode="bilinear", align_corners=False)
    torch.testing.assert_close(head((fine, coarse), (31, 23)), expected)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3))
def test_tokens_and_channels_last_give_what_a_map_gives(height: int, width: int, patch: int, num_prefix: int) -> None:
    torch.manual_seed(0)
    x, size = torch.randn(2, 4, height, width), (patch * height, patch * width)
    head = DenseHead((4,), 2, width=3).eval()
    expected = head((x,), size)
    for other, features in (
        (DenseHead((4,), 2, width=3, channel_dim=-1), x.movedim(1, -1)),
        (DenseHead((4,), 2, width=3, channel_dim=-1, num_prefix_tokens=num_prefix), tokens_of(x, num_prefix)),
    ):
        other.load_state_dict(head.state_dict())
        torch.testing.assert_close(other.eval()((features,), size), expected)


def test_a_dense_head_leaves_no_pattern_on_constant_features() -> None:
    """Away from the border, where the padding counts, outputs of constant features are constant."""
    torch.manual_seed(0)
    head = DenseHead((4, 6), 2).eval()
    fine, coarse = torch.ones(1, 4, 16, 16), torch.ones(1, 6, 8, 8)
    out = head((fine, coarse), (64, 64))[..., 12:-12, 12:-12]
    # Interpolation weights of single precision sum to 1 within their last bits.
    torch.testing.assert_close(out, out[..., :1, :1].expand_as(out), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("num_tokens", "size"), [(7, (8, 8)), (5, (4, 1)), (13, (16, 13))])
def test_tokens_that_are_no_patches_are_refused(num_tokens: int, size: tuple[int, int]) -> None:
    head = DenseHead((4,), 2, channel_dim=-1)
    message = (
        rf"{num_tokens} tokens are not square patches of an input of {size[0]} x {size[1]}: state num_prefix_tokens"
    )
    with pytest.raises(InputError, match=message):
        head((torch.zeros(1, num_tokens, 4),), size)


def test_a_fusion_is_one_of_two() -> None:
    with pytest.raises(InputError, match="fusion is 'max', must be one of 'sum', 'concatenate'"):
        DenseHead((4,), 2, fusion="max")  # type: ignore[arg-type]


def test_a_ready_head_follows_the_task() -> None:
    make = ready_head((4, 8), width=6, fusion="concatenate")
    dense, linear = make(task(True)), make(task(False))
    assert isinstance(dense, DenseHead)
    assert (len(dense.reduce), dense.fuse[0].in_channels, dense.outputs.in_channels) == (2, 12, 6)
    assert isinstance(linear, LinearHead)
    assert (linear.outputs.in_features, linear.outputs.out_features, linear.channel_dim) == (8, 3, 1)
    tokens = ready_head((8,), channel_dim=-1, num_prefix_tokens=2, class_token=True)
    assert (tokens(task(True)).channel_dim, tokens(task(True)).num_prefix_tokens) == (-1, 2)
    assert (tokens(task(False)).channel_dim, tokens(task(False)).class_token) == (-1, True)


def test_a_ready_head_without_channels_asks_for_them() -> None:
    make = ready_head()
    assert isinstance(make(task(True), (4, 8), channel_dim=1), DenseHead)
    needed = [name for name, p in inspect.signature(make).parameters.items() if p.default is p.empty]
    assert needed == ["task", "channels", "channel_dim"]


def test_a_task_that_does_not_state_dense_gets_no_ready_head() -> None:
    with pytest.raises(
        InputError, match=r"the task depth does not say .*: set Task\(dense=True\), or Task\(dense=False"
    ):
        ready_head((4,))(task(None))


SPACES = [
    MobileNetV2(width=0.25, image_tasks=("scene",)),
    ResNet(18, image_tasks=("scene",)),
    ResNet(18, decoder="aspp", image_tasks=("scene",)),
]


@pytest.mark.parametrize("backbone", SPACES)
def test_a_dense_backbone_follows_the_task(backbone: Backbone) -> None:
    assert isinstance(backbone.make_head(task(False)), LinearHead)
    assert isinstance(backbone.make_head(task(False, "scene")), LinearHead)
    assert isinstance(backbone.make_head(task(None, "scene")), LinearHead)
    assert not isinstance(backbone.make_head(task(None)), LinearHead)
    assert not isinstance(backbone.make_head(task(True)), LinearHead)
    with pytest.raises(InputError, match="the task scene has dense=True and is named in `image_tasks`: take it out"):
        backbone.make_head(task(True, "scene"))
