"""Heads: from the features of the taps to a task's outputs. All are called as ``head(features, size)``."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.aspp import ASPP, Activation
from search_spaces.convolution import conv_bn

Features = tuple[Tensor, ...]
Size = tuple[int, int]

LOW_LEVEL_CHANNELS = 48


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


class ImageHead(nn.Module):
    """One set of outputs per image: the mean over the last tap's features, then a linear layer -> [B, num_outputs]."""

    def __init__(self, in_channels: int, num_outputs: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.outputs = nn.Linear(in_channels, num_outputs)

    def forward(self, features: Features, size: Size) -> Tensor:
        outputs: Tensor = self.outputs(self.pool(features[-1]).flatten(1))
        return outputs


def _output_conv(in_channels: int, num_outputs: int) -> nn.Conv2d:
    layer = nn.Conv2d(in_channels, num_outputs, 1)
    # The first outputs are small: all classes are about equally likely, and regressions are near zero.
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(cast(Tensor, layer.bias))
    return layer


def _upsample(x: Tensor, size: Size) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
