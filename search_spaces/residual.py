"""The residual blocks of ResNets, with torchvision's names."""

from torch import Tensor, nn

from search_spaces.convolution import conv, conv_bn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (arXiv 1512.03385, figure 5 left).

    The shortcut is registered and computed first, so that the last BatchNorm of the module is the last of the path.
    ``rates`` are the dilation rates of the first convolution, which had the stride, and of the second.
    """

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int, rates: tuple[int, int]) -> None:
        super().__init__()
        self.downsample = _shortcut(in_channels, channels, stride)
        self.conv1 = conv(in_channels, channels, 3, stride=stride, dilation=rates[0])
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, 3, dilation=rates[1])
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        activated: Tensor = self.relu(out + shortcut)
        return activated


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut (arXiv 1512.03385, figure 5 right), the stride on the 3x3.

    Registered in the order of execution, as in `BasicBlock`.
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int, rates: tuple[int, int]) -> None:
        super().__init__()
        self.downsample = _shortcut(in_channels, self.expansion * channels, stride)
        self.conv1 = conv(in_channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, 3, stride=stride, dilation=rates[0])
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = conv(channels, self.expansion * channels)
        self.bn3 = nn.BatchNorm2d(self.expansion * channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        activated: Tensor = self.relu(out + shortcut)
        return activated


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if in_channels == out_channels:
        return nn.Identity()
    return conv_bn(in_channels, out_channels, stride=stride, activation=None)
