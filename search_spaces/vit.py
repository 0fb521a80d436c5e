"""A vision transformer, cut into its encoder layers."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.errors import InputError
from nas.tasks.task import Task
from search_spaces.heads import ready_head


@dataclass(frozen=True)
class ViT:
    """L encoder layers on the patches of an image (arXiv 2010.11929, section 3.1), without a class token.

    The stem embeds the patches and adds a learned position embedding. The features are tokens [B, N, width], one for
    each patch, row by row. The last block ends with a LayerNorm.

    Tasks state ``dense``. A task with ``dense=True`` gets a `DenseHead` on the tokens as a map, one with
    ``dense=False`` a `LinearHead` on their mean (`search_spaces.heads`).

    Args:
        image_size: height and width of the input, multiples of ``patch_size``.
        patch_size: pixels a side of a patch.
        width: of the tokens, a multiple of ``num_heads``.
        depth: the number of encoder layers, L.
        num_heads: of each self-attention.
        mlp_ratio: width of the hidden layer of each layer's MLP, as a multiple of ``width``.
        dropout: the probability that a value that an attention or an MLP adds becomes zero in training.
        in_channels: of the input.

    Raises:
        InputError: a number is below 1, or not a multiple as stated above.

    >>> ViT(image_size=(32, 40)).make_stem()(torch.zeros(2, 3, 32, 40)).shape
    torch.Size([2, 20, 128])
    """

    image_size: tuple[int, int] = (64, 64)
    patch_size: int = 8
    width: int = 128
    depth: int = 6
    num_heads: int = 4
    mlp_ratio: int = 4
    dropout: float = 0.0
    in_channels: int = 3

    def __post_init__(self) -> None:
        numbers = ("patch_size", "width", "depth", "num_heads", "mlp_ratio", "in_channels")
        for name in numbers:
            if (found := getattr(self, name)) < 1:
                raise InputError(f"ViT: {name} is {found}, must be at least 1")
        if min(self.image_size) < 1 or any(side % self.patch_size for side in self.image_size):
            raise InputError(
                f"ViT: image_size is {tuple(self.image_size)}, must be positive multiples of patch_size "
                f"{self.patch_size}"
            )
        if self.width % self.num_heads:
            raise InputError(f"ViT: width is {self.width}, must be a multiple of num_heads {self.num_heads}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"ViT: dropout is {self.dropout}, must be at least 0 and below 1")

    @property
    def num_blocks(self) -> int:
        return self.depth

    @property
    def taps(self) -> tuple[int, ...]:
        return (self.num_blocks - 1,)

    @property
    def channel_dim(self) -> int:
        return -1

    def make_stem(self) -> nn.Module:
        return PatchEmbedding(self.image_size, self.patch_size, self.in_channels, self.width)

    def make_block(self, l: int) -> nn.Module:
        assert 0 <= l < self.num_blocks
        layer = EncoderLayer(self.width, self.num_heads, self.mlp_ratio * self.width, self.dropout)
        return nn.Sequential(layer, nn.LayerNorm(self.width)) if l == self.num_blocks - 1 else layer

    def make_head(self, task: Task) -> nn.Module:
        return ready_head((self.width,), channel_dim=self.channel_dim)(task)


class PatchEmbedding(nn.Module):
    """A linear layer on each patch, plus a learned vector for its position: [B, C, H, W] -> tokens [B, N, width]."""

    def __init__(self, image_size: tuple[int, int], patch_size: int, in_channels: int, width: int) -> None:
        super().__init__()
        height, columns = image_size
        self.image_size = (height, columns)
        self.project = nn.Conv2d(in_channels, width, patch_size, stride=patch_size)
        self.position = nn.Parameter(torch.empty(1, height * columns // patch_size**2, width))
        nn.init.trunc_normal_(self.position, std=0.02)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        if tuple(x_BCHW.shape[2:]) != self.image_size:
            raise InputError(
                f"ViT: image_size is {self.image_size}, but the input has {tuple(x_BCHW.shape[2:])}: state the size of "
                "the inputs as image_size"
            )
        tokens: Tensor = self.project(x_BCHW).flatten(2).transpose(1, 2)
        return tokens + self.position


class EncoderLayer(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)), with GELU: tokens [B, N, width] to tokens."""

    def __init__(self, width: int, num_heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width), nn.Dropout(dropout)
        )

    def forward(self, x_BND: Tensor) -> Tensor:
        heads = self.query_key_value(self.norm(x_BND)).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        x_BND = x_BND + self.dropout(self.project(mixed.transpose(1, 2).flatten(2)))
        y_BND: Tensor = x_BND + self.mlp(x_BND)
        return y_BND
