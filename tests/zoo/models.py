"""Small networks of the kinds that people bring: backbones by name, each with its input's shape."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from search_spaces import MLP, ViT

WIDTH = 8
IMAGE, TOKENS, SERIES, VECTOR = (3, 16, 16), (6, 8), (3, 16), (8,)


class Head(nn.Module):
    """Mean over all positions of each tapped feature, then a linear layer.

    Args:
        channels: width of each tapped feature.
        channel_dim: where the features' channels are.
    """

    def __init__(self, channels: tuple[int, ...], num_outputs: int, channel_dim: int = 1) -> None:
        super().__init__()
        self.channel_dim = channel_dim
        self.linear = nn.Linear(sum(channels), num_outputs)

    def forward(self, features, size):
        moved = [feature.movedim(self.channel_dim, -1) for feature in features]
        return self.linear(torch.cat([x.reshape(x.shape[0], -1, x.shape[-1]).mean(1) for x in moved], dim=1))


class Pixels(nn.Module):
    """A 1x1 convolution, resized to the input's size."""

    def __init__(self, channels: int, num_outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, num_outputs, 1)

    def forward(self, features, size):
        return functional.interpolate(self.conv(features[-1]), size=size, mode="bilinear", align_corners=False)


@dataclass(frozen=True)
class Parts:
    """A backbone from functions that make its parts.

    Args:
        stem, block: make a module; ``block`` gets the block's index.
        channel_dim: of the features that blocks give.
        channels: width of each tapped feature.
        dense: heads give a value for each pixel.
    """

    stem: Any
    block: Any
    num_blocks: int = 2
    taps: tuple[int, ...] = (1,)
    channel_dim: int = 1
    channels: tuple[int, ...] = (WIDTH,)
    dense: bool = False

    def make_stem(self):
        return self.stem()

    def make_block(self, l):
        return self.block(l)

    def make_head(self, task):
        if self.dense:
            return Pixels(self.channels[-1], task.num_outputs)
        return Head(self.channels, task.num_outputs, self.channel_dim)


class Residual(nn.Module):
    """x + f(x)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


class First(nn.Module):
    """The first of what a recurrent layer gives: its outputs."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


class Attention(nn.Module):
    """Single-head self-attention of tokens, written in the way that is named."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        if self.way == "fused":
            mixed = functional.scaled_dot_product_attention(q, k, v)
        elif self.way == "einsum":
            weights = torch.einsum("bnc,bmc->bnm", q, k).softmax(-1)
            mixed = torch.einsum("bnm,bmc->bnc", weights, v)
        else:
            mixed = (q @ k.transpose(1, 2) / WIDTH**0.5).softmax(-1) @ v
        return x + self.out(mixed)


class SelfAttention(nn.Module):
    """`nn.MultiheadAttention` of tokens with themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def forward(self, x):
        return x + self.attention(x, x, x, need_weights=False)[0]


class GlobalFilter(nn.Module):
    """Complex weights in the frequency domain, as in GFNet and FNO."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(WIDTH, 8, 5, dtype=torch.cfloat) * 0.1)

    def forward(self, x):
        return x + torch.fft.irfft2(torch.fft.rfft2(x) * self.weight, s=x.shape[-2:])


class Blur(nn.Module):
    """A fixed filter: buffers and no parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.full((WIDTH, 1, 3, 3), 1 / 9))

    def forward(self, x):
        return functional.conv2d(x, self.kernel, padding=1, groups=WIDTH)


class Shift(nn.Module):
    """Channels last: [B, H, W, C] in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        return x + functional.gelu(self.linear(self.norm(torch.roll(x, 1, dims=1))))


class Patches(nn.Module):
    """A picture as tokens [B, N, C], or as [B, H, W, C]."""

    def __init__(self, flat: bool) -> None:
        super().__init__()
        self.conv, self.flat = nn.Conv2d(3, WIDTH, 4, stride=4), flat

    def forward(self, x):
        patches = self.conv(x).movedim(1, -1)
        return patches.flatten(1, 2) if self.flat else patches


class Twins(nn.Module):
    """A block that gives two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x):
        return self.conv(x), x


class Kept:
    """Gives the same modules at each call, as an object does that holds a pretrained network."""

    num_blocks, taps = 2, (1,)

    def __init__(self) -> None:
        self.stem, self.blocks = _conv_stem(), [_conv(l) for l in range(2)]

    def make_stem(self):
        return self.stem

    def make_block(self, l):
        return self.blocks[l]

    def make_head(self, task):
        return Head((WIDTH,), task.num_outputs)


def _conv_stem():
    return nn.Sequential(nn.Conv2d(3, WIDTH, 3, stride=2, padding=1), nn.BatchNorm2d(WIDTH), nn.ReLU())


def _conv(l, **fields):
    return nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 3, padding=1, **fields), nn.BatchNorm2d(WIDTH), nn.ReLU())


def _normed(norm):
    return lambda l: nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 3, padding=1), norm(), nn.ReLU())


def _widening(l):
    width = WIDTH * 2**l
    return nn.Sequential(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU())


def _picture(block, **fields):
    return Parts(_conv_stem, block, **fields), IMAGE


def _tokens(block, **fields):
    return Parts(lambda: nn.Linear(TOKENS[1], WIDTH), block, channel_dim=-1, **fields), TOKENS


MODELS = {
    "cnn": _picture(_conv),
    "dense heads": _picture(_conv, dense=True),
    "depthwise": _picture(
        lambda l: nn.Sequential(_conv(l, groups=WIDTH), nn.Conv2d(WIDTH, WIDTH, 1), nn.BatchNorm2d(WIDTH), nn.ReLU6())
    ),
    "multi-scale taps": _picture(_widening, num_blocks=3, taps=(0, 1, 2), channels=(16, 32, 64)),
    "encoder layer": _tokens(lambda l: nn.TransformerEncoderLayer(WIDTH, 2, 16, batch_first=True)),
    "attention layer": _tokens(lambda l: SelfAttention()),
    "fused attention": _tokens(lambda l: Attention("fused")),
    "matmul attention": _tokens(lambda l: Attention("matmul")),
    "einsum attention": _tokens(lambda l: Attention("einsum")),
    "gru": _tokens(lambda l: First(nn.GRU(WIDTH, WIDTH, batch_first=True))),
    "lstm": _tokens(lambda l: First(nn.LSTM(WIDTH, WIDTH, batch_first=True))),
    "conv1d": (
        Parts(
            lambda: nn.Conv1d(3, WIDTH, 3, padding=1),
            lambda l: nn.Sequential(nn.Conv1d(WIDTH, WIDTH, 3, padding=1), nn.BatchNorm1d(WIDTH), nn.ReLU()),
        ),
        SERIES,
    ),
    "mlp": (
        Parts(
            lambda: nn.Linear(VECTOR[0], WIDTH),
            lambda l: nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU()),
        ),
        VECTOR,
    ),
    "channels last": (Parts(lambda: Patches(False), lambda l: Shift(), channel_dim=-1), IMAGE),
    "patches as tokens": (
        Parts(lambda: Patches(True), lambda l: Residual(nn.Linear(WIDTH, WIDTH)), channel_dim=-1),
        IMAGE,
    ),
    "group norm": _picture(_normed(lambda: nn.GroupNorm(2, WIDTH))),
    "instance norm": _picture(_normed(lambda: nn.InstanceNorm2d(WIDTH))),
    "no norm": _picture(_normed(nn.Identity)),
    "layer norm": _tokens(lambda l: Residual(nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.GELU()))),
    "weight norm": _picture(
        lambda l: nn.Sequential(parametrizations.weight_norm(nn.Conv2d(WIDTH, WIDTH, 3, padding=1)), nn.ReLU())
    ),
    "weight norm by a hook": _picture(
        lambda l: nn.Sequential(nn.utils.weight_norm(nn.Conv2d(WIDTH, WIDTH, 3, padding=1)), nn.ReLU())
    ),
    "spectral norm by a hook": _picture(
        lambda l: nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(WIDTH, WIDTH, 3, padding=1)), nn.ReLU())
    ),
    "buffers only": _picture(lambda l: Blur() if l else _conv(l)),
    "dropout": _picture(lambda l: nn.Sequential(_conv(l), nn.Dropout(0.2))),
    "in-place first": _picture(lambda l: nn.Sequential(nn.ReLU(inplace=True), _conv(l)), taps=(0, 1), channels=(8, 8)),
    "in-place dropout first": _picture(
        lambda l: nn.Sequential(nn.Dropout(0.2, inplace=True), _conv(l)), taps=(0, 1), channels=(8, 8)
    ),
    "complex weights": _picture(lambda l: nn.Sequential(GlobalFilter(), nn.BatchNorm2d(WIDTH))),
    "lazy modules": _picture(lambda l: nn.Sequential(nn.LazyConv2d(WIDTH, 3, padding=1), nn.LazyBatchNorm2d())),
    "two outputs": _picture(lambda l: Twins()),
    "the same modules": (Kept(), IMAGE),
    "vision transformer": (ViT(image_size=IMAGE[1:], patch_size=4, width=WIDTH, depth=2, num_heads=2), IMAGE),
    "rows of a table": (MLP(VECTOR[0], width=WIDTH, depth=2, dropout=0.1, residual=True), VECTOR),
}
"""By name, a backbone and the shape of one input."""

REFUSED_MODELS = {
    "lazy modules": "Lazy",
    "two outputs": "tensor",
    "the same modules": "same",
}
"""What `nas check` refuses, and a word of its sentence."""

NOT_EXPORTED: set[tuple[str, str]] = set()
"""A model and a format that cannot hold it; `nas export` says so in one line."""

UNCOUNTED_MODELS = {"complex weights"}
"""Models with a budget in MACs that lack some of their arithmetic, which they allow."""
