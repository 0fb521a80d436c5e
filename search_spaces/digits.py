"""A small convolutional backbone for the digit pairs of `nas.datasets.digits.source`."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.errors import InputError
from nas.tasks import Task


@dataclass(frozen=True)
class DigitsBackbone:
    """A 3x3 convolution that halves the resolution, then blocks of one 3x3 convolution each.

    Heads read two blocks: the last one with the stem's resolution, and the last one of all. Tasks with ``dense=True``,
    or named in ``dense_tasks``, get a head whose output is an image of the input's size; other tasks get one that pools
    the features to a vector.

    Args:
        widths: channels of each of the L blocks; the stem has as many as the first block.
        strided: indices of the blocks that halve the resolution again; not the first block.
        dense_tasks: names of the tasks whose output is an image; those with ``dense=True`` need not be named.
        in_channels: channels of the input.

    Raises:
        InputError: ``widths`` is empty or not positive, or ``strided`` names other than blocks 1 to L - 1.
    """

    widths: tuple[int, ...] = (16, 16, 24, 24, 32, 32)
    strided: tuple[int, ...] = (3,)
    dense_tasks: tuple[str, ...] = ("restore",)
    in_channels: int = 1

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1:
            raise InputError(f"widths of DigitsBackbone must be positive, one a block; found {self.widths}")
        if not set(self.strided) <= set(range(1, self.num_blocks)):
            raise InputError(f"strided of DigitsBackbone must be in 1..{self.num_blocks - 1}; found {self.strided}")

    @property
    def num_blocks(self) -> int:
        return len(self.widths)

    @property
    def taps(self) -> tuple[int, ...]:
        last = self.num_blocks - 1
        return (min(self.strided) - 1, last) if self.strided else (last,)

    def make_stem(self) -> nn.Module:
        return ConvBlock(self.in_channels, self.widths[0], stride=2)

    def make_block(self, l: int) -> nn.Module:
        return ConvBlock(self.widths[max(l - 1, 0)], self.widths[l], stride=2 if l in self.strided else 1)

    def make_head(self, task: Task) -> nn.Module:
        widths = tuple(self.widths[l] for l in self.taps)
        if task.dense is False and task.name in self.dense_tasks:
            raise InputError(
                f"DigitsBackbone: the task {task.name} has dense=False and is named in `dense_tasks`: take it out of "
                "`dense_tasks`, or set dense=True"
            )
        if task.dense or task.name in self.dense_tasks:
            return PixelShuffleHead(widths, task.num_outputs)
        return PooledHead(widths[-1], task.num_outputs)


class ConvBlock(nn.Module):
    """ReLU(BN(conv3x3(x))), or ReLU(BN(conv3x3(x)) + x) if the shapes agree (He et al., CVPR 2016)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BCHW: Tensor = self.norm(self.conv(x_BCHW))
        return functional.relu(y_BCHW + x_BCHW if self.shortcut else y_BCHW)


class PooledHead(nn.Module):
    """Classes or numbers from the last features: means over the left and the right half, then two linear layers.

    Two means instead of one, because most tasks depend on the side that a feature is on.
    """

    def __init__(self, width: int, num_outputs: int, hidden: int = 32) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * width, hidden)
        self.out = nn.Linear(hidden, num_outputs)

    def forward(self, features: tuple[Tensor, ...], size: tuple[int, int]) -> Tensor:
        pooled = functional.adaptive_avg_pool2d(features[-1], (1, 2)).flatten(1)
        out: Tensor = self.out(functional.relu(self.hidden(pooled)))
        return out


class PixelShuffleHead(nn.Module):
    """An image of the input's size from the last features, refined by the early ones at half of that size.

    The last convolution gives the four pixels of each position as channels (Shi et al., CVPR 2016).
    """

    def __init__(self, widths: tuple[int, ...], num_outputs: int, hidden: int = 16) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(widths[-1], hidden, 1)
        self.mix = nn.Conv2d(hidden + sum(widths[:-1]), hidden, 3, padding=1)
        self.out = nn.Conv2d(hidden, 4 * num_outputs, 1)

    def forward(self, features: tuple[Tensor, ...], size: tuple[int, int]) -> Tensor:
        *early, last = features
        last = functional.interpolate(self.reduce(last), size=features[0].shape[2:], mode="bilinear")
        pixels = self.out(functional.relu(self.mix(torch.cat([*early, last], dim=1))))
        height, width = size
        # An odd size was rounded up when the stem halved it.
        return functional.pixel_shuffle(pixels, 2)[:, :, :height, :width]
