"""Atrous spatial pyramid pooling: combines context of several sizes."""

import torch
from torch import Tensor, nn

from search_spaces.convolution import conv_bn

Activation = type[nn.ReLU] | type[nn.ReLU6]


class ImagePooling(nn.Module):
    """The mean over the image, a 1x1 convolution, BatchNorm and activation: [B, C, H, W] -> [B, out_channels, H, W].

    The 1x1 map is expanded to the size of the input, which equals bilinear upsampling. BatchNorm gets one value per
    image and channel, so training needs batches of two or more.
    """

    def __init__(self, in_channels: int, out_channels: int, activation: Activation) -> None:
        super().__init__()
        self.conv = conv_bn(in_channels, out_channels, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.conv(x.mean((2, 3), keepdim=True))
        return pooled.expand(-1, -1, x.shape[2], x.shape[3])


class ASPP(nn.Module):
    """Parallel streams, concatenated and projected: [B, in_channels, H, W] -> [B, out_channels, H, W].

    The streams are a 1x1 convolution, a 3x3 convolution for each dilation rate, and the pooled image. Without rates
    it is the reduced R-ASPP of MobileNetV2 (arXiv 1801.04381, section 6.3); with three it is that of DeepLabV3
    (arXiv 1706.05587, section 3.3).

    Args:
        in_channels: of the features.
        out_channels: of each stream and of the output.
        rates: dilation rates of the 3x3 convolutions.
        dropout: the probability that a value of the concatenated streams becomes zero in training.
        activation: after each convolution.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, rates: tuple[int, ...], dropout: float, activation: Activation
    ) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            [
                conv_bn(in_channels, out_channels, activation=activation),
                *(conv_bn(in_channels, out_channels, 3, dilation=rate, activation=activation) for rate in rates),
                ImagePooling(in_channels, out_channels, activation),
            ]
        )
        self.dropout = nn.Dropout(dropout)
        self.project = conv_bn(len(self.streams) * out_channels, out_channels, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        streams = torch.cat([stream(x) for stream in self.streams], dim=1)
        projected: Tensor = self.project(self.dropout(streams))
        return projected
