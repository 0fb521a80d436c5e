"""Heads: from the features of the taps to a task's outputs. All are called as ``head(features, size)``.

`ready_head` chooses one for a task: `DenseHead` for one output per pixel, `LinearHead` for one per sample.

>>> from nas.tasks import Task
>>> depth = Task(name="depth", num_outputs=1, loss="l1", metrics=("rmse",), dense=True)
>>> head = ready_head(channels=(16, 32))(depth)
>>> features = torch.zeros(2, 16, 12, 10), torch.zeros(2, 32, 6, 5)
>>> head(features, (24, 20)).shape
torch.Size([2, 1, 24, 20])
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.errors import InputError
from nas.tasks.task import Task
from search_spaces.aspp import ASPP, Activation
from search_spaces.convolution import conv, conv_bn

Features = tuple[Tensor, ...]
Size = tuple[int, int]
Fusion = Literal["sum", "concatenate"]

LOW_LEVEL_CHANNELS = 48
DENSE_WIDTH = 64


class DeepLabV3PlusHead(nn.Module):
    """The decoder of DeepLabV3+ (arXiv 1802.02611, section 3.1): two taps -> [B, num_outputs, *size].

    The low-level features are reduced to 48 channels, the deep ones upsampled to their size and concatenated to
    them; then two depthwise-separable 3x3 convolutions, a 1x1 convolution to the outputs, and bilinear upsampling.
    Depthwise and pointwise convolutions are each followed by BatchNorm and activation, as in BMTAS.

    Args:
        low_channels: of the first tap's features.
        channels: of the second tap's features, and of the two convolutions.
        num_outputs: of the task.
        activation: after each convolution but the last.
    """

    def __init__(self, low_channels: int, channels: int, num_outputs: int, *, activation: Activation) -> None:
        super().__init__()
        self.low = conv_bn(low_channels, LOW_LEVEL_CHANNELS, activation=activation)
        joint = LOW_LEVEL_CHANNELS + channels
        self.fuse = nn.Sequential(
            conv_bn(joint, joint, 3, groups=joint, activation=activation),
            conv_bn(joint, channels, activation=activation),
            conv_bn(channels, channels, 3, groups=channels, activation=activation),
            conv_bn(channels, channels, activation=activation),
        )
        self.outputs = _output_conv(channels, num_outputs)

    def forward(self, features: Features, size: Size) -> Tensor:
        low, deep = features
        deep = _upsample(deep, cast(Size, low.shape[2:]))
        return _upsample(self.outputs(self.fuse(torch.cat([self.low(low), deep], dim=1))), size)


class ASPPHead(nn.Module):
    """The head of DeepLabV3 (arXiv 1706.05587): ASPP, a 3x3 and a 1x1 convolution -> [B, num_outputs, *size]."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        num_outputs: int,
        *,
        rates: tuple[int, ...],
        dropout: float,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.aspp = ASPP(in_channels, channels, rates=rates, dropout=dropout, activation=activation)
        self.conv = conv_bn(channels, channels, 3, activation=activation)
        self.outputs = _output_conv(channels, num_outputs)

    def forward(self, features: Features, size: Size) -> Tensor:
        return _upsample(self.outputs(self.conv(self.aspp(features[-1]))), size)


class LinearHead(nn.Module):
    """A linear layer on one vector per sample -> [B, num_outputs].

    The vector is the mean of the last tap's features over all positions, or the class token. Features [B, C] already
    are vectors.

    Args:
        in_channels: of the last tap's features.
        num_outputs: of the task.
        channel_dim: the dimension of the features that holds the channels: 1, or -1 for tokens and channels last.
        class_token: read the first token instead of the mean; features are tokens [B, N, C].
    """

    def __init__(self, in_channels: int, num_outputs: int, *, channel_dim: int = 1, class_token: bool = False) -> None:
        super().__init__()
        self.channel_dim = channel_dim
        self.class_token = class_token
        self.outputs = nn.Linear(in_channels, num_outputs)

    def forward(self, features: Features, size: Sequence[int]) -> Tensor:
        x = features[-1]
        x = x[:, 0] if self.class_token else _mean(x, self.channel_dim)
        outputs: Tensor = self.outputs(x)
        return outputs


class DenseHead(nn.Module):
    """Outputs for each pixel from the features of one or several taps -> [B, num_outputs, *size].

    A 1x1 convolution reduces each tap to ``width`` channels. Bilinear upsampling brings all to the size of the first
    tap, and they are summed or concatenated. A 3x3 convolution with BatchNorm and ReLU, a 1x1 convolution to the
    outputs, and bilinear upsampling to the input's size follow. No layer has a stride, so no pattern of the stride
    shows in the outputs.

    Args:
        channels: of each tap's features.
        num_outputs: of the task.
        width: channels of the reduced features and of the 3x3 convolution.
        fusion: how several taps are joined, "sum" or "concatenate"; with one tap both are the same.
        channel_dim: the dimension of the features that holds the channels: 1, or -1 for tokens and channels last.
        num_prefix_tokens: tokens before those of the patches, which are left out.

    Raises:
        InputError: ``fusion`` is unknown.
    """

    def __init__(
        self,
        channels: Sequence[int],
        num_outputs: int,
        *,
        width: int = DENSE_WIDTH,
        fusion: Fusion = "sum",
        channel_dim: int = 1,
        num_prefix_tokens: int = 0,
    ) -> None:
        super().__init__()
        if fusion not in get_args(Fusion):
            raise InputError(f"DenseHead: fusion is {fusion!r}, must be one of 'sum', 'concatenate'")
        self.fusion = fusion
        self.channel_dim = channel_dim
        self.num_prefix_tokens = num_prefix_tokens
        self.reduce = nn.ModuleList([conv(in_channels, width) for in_channels in channels])
        joint = width if fusion == "sum" else len(channels) * width
        self.fuse = conv_bn(joint, width, 3, activation=nn.ReLU)
        self.outputs = _output_conv(width, num_outputs)

    def forward(self, features: Features, size: Size) -> Tensor:
        reduced = [
            reduce(_as_map(x, size, self.channel_dim, self.num_prefix_tokens))
            for reduce, x in zip(self.reduce, features, strict=True)
        ]
        first, *others = reduced
        others = [_upsample(x, cast(Size, first.shape[2:])) for x in others]
        joint = torch.cat([first, *others], dim=1) if self.fusion == "concatenate" else sum(others, start=first)
        return _upsample(self.outputs(self.fuse(joint)), size)


def ready_head(
    channels: Sequence[int] | None = None,
    *,
    channel_dim: int | None = None,
    width: int = DENSE_WIDTH,
    fusion: Fusion = "sum",
    num_prefix_tokens: int = 0,
    class_token: bool = False,
) -> Callable[..., nn.Module]:
    """A function that makes a head for a task, for `search_spaces.from_module` and for backbones of your own.

    A task with ``dense=True`` gets a `DenseHead`, one with ``dense=False`` a `LinearHead`.

    Args:
        channels: of each tap's features. With them, the function is called as ``head(task)``. Without them, it is
            called as ``head(task, channels, channel_dim=...)``, as `search_spaces.from_module` does.
        channel_dim: of both heads; with ``channels`` it is 1 if left out.
        width, fusion, num_prefix_tokens: of `DenseHead`.
        class_token: of `LinearHead`.

    Raises:
        InputError: when it makes a head, if the task does not state ``dense``.
    """
    known: dict[str, Any] = {} if channels is None else {"channels": tuple(channels), "channel_dim": 1}
    if channel_dim is not None:
        known["channel_dim"] = channel_dim
    return functools.partial(
        _head_of,
        **known,
        width=width,
        fusion=fusion,
        num_prefix_tokens=num_prefix_tokens,
        class_token=class_token,
    )


def _head_of(
    task: Task,
    channels: Sequence[int],
    *,
    channel_dim: int,
    width: int,
    fusion: Fusion,
    num_prefix_tokens: int,
    class_token: bool,
) -> nn.Module:
    if task.dense is None:
        raise InputError(
            f"the task {task.name} does not say whether it has an output for each pixel: set Task(dense=True), or "
            "Task(dense=False) for one per sample"
        )
    if not task.dense:
        return LinearHead(channels[-1], task.num_outputs, channel_dim=channel_dim, class_token=class_token)
    return DenseHead(
        channels,
        task.num_outputs,
        width=width,
        fusion=fusion,
        channel_dim=channel_dim,
        num_prefix_tokens=num_prefix_tokens,
    )


def is_image_task(task: Task, image_tasks: Sequence[str], backbone: str) -> bool:
    """Whether a task has one label per image: it says so itself, or ``image_tasks`` names it.

    Raises:
        InputError: the two contradict each other.
    """
    if task.name not in image_tasks:
        return task.dense is False
    if task.dense:
        raise InputError(
            f"{backbone}: the task {task.name} has dense=True and is named in `image_tasks`: take it out of "
            "`image_tasks`, or set dense=False"
        )
    return True


def _mean(x: Tensor, channel_dim: int) -> Tensor:
    """The mean over all positions -> [B, C]."""
    channel_dim %= x.dim()
    positions = [dim for dim in range(1, x.dim()) if dim != channel_dim]
    return x.mean(dim=positions) if positions else x


def _as_map(x: Tensor, size: Size, channel_dim: int, num_prefix_tokens: int) -> Tensor:
    """Features as [B, C, H', W']; tokens are in the order of the patches, row by row."""
    x = x.movedim(channel_dim, 1)
    if x.dim() == 3:
        tokens = x[:, :, num_prefix_tokens:]
        x = tokens.reshape(*tokens.shape[:2], *_grid(tokens.shape[2], size))
    return x


def _grid(num_tokens: int, size: Size) -> Size:
    """Rows and columns of square patches that cover an input.

    >>> _grid(20, (32, 40))
    (4, 5)
    """
    height, width = size
    patch = math.isqrt(height * width // max(num_tokens, 1))
    if patch < 1 or (height // patch) * (width // patch) != num_tokens:
        raise InputError(
            f"DenseHead: {num_tokens} tokens are not square patches of an input of {height} x {width}: state "
            "num_prefix_tokens, and give inputs whose sides are multiples of the patch"
        )
    return height // patch, width // patch


def _output_conv(in_channels: int, num_outputs: int) -> nn.Conv2d:
    layer = nn.Conv2d(in_channels, num_outputs, 1)
    # The first outputs are small: all classes are about equally likely, and regressions are near zero.
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(cast(Tensor, layer.bias))
    return layer


def _upsample(x: Tensor, size: Size) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
