"""The student of a planted problem (`nas.datasets.planted`): the teacher's architecture, of any width."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from nas.errors import InputError
from nas.tasks import Task
from search_spaces.pretrained import StartsFromFile


@dataclass(frozen=True)
class PlantedBackbone(StartsFromFile):
    """L blocks of one layer and tanh each. The stem is the identity and costs nothing, so tasks can part everywhere.

    Heads are linear layers on the last block's features: on the mean over the positions, or at each position.

    Args:
        num_blocks: L.
        kind: "dense" has linear layers, "conv" 3x3 convolutions padded with zeros.
        width: features, or channels, of every block.
        input_width: features, or channels, of the input.
        pooled: for "conv": whether heads read the mean over the positions and give numbers instead of an image.
        norm: whether there is a BatchNorm between each layer and its tanh; the layers then have no bias.
        weights: a state-dict file from which all blocks start, with the names of an ``nn.ModuleList`` of the blocks
            ("0.0.weight"). It is opened at the first ``make_block``.

    Raises:
        InputError: the kind is unknown, or a number is below 1.
    """

    num_blocks: int = 4
    kind: Literal["dense", "conv"] = "dense"
    width: int = 8
    input_width: int = 8
    pooled: bool = False
    norm: bool = False
    weights: Path | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("dense", "conv"):
            raise InputError(f"kind of PlantedBackbone must be 'dense' or 'conv'; found {self.kind!r}")
        for name in ("num_blocks", "width", "input_width"):
            if (found := getattr(self, name)) < 1:
                raise InputError(f"{name} of PlantedBackbone must be at least 1; found {found}")

    @property
    def taps(self) -> tuple[int, ...]:
        return (self.num_blocks - 1,)

    def make_stem(self) -> nn.Module:
        return nn.Identity()

    def make_block(self, l: int) -> nn.Module:
        return self.started(self._new_block(l), f"{l}.")

    def pretrained_parts(self) -> Mapping[str, nn.Module]:
        return {f"{l}.": self._new_block(l) for l in range(self.num_blocks)}

    def _new_block(self, l: int) -> nn.Module:
        in_width, bias = self.width if l else self.input_width, not self.norm
        layers: list[nn.Module]
        if self.kind == "dense":
            layers = [nn.Linear(in_width, self.width, bias=bias)]
            norm: type[nn.Module] = nn.BatchNorm1d
        else:
            layers = [nn.Conv2d(in_width, self.width, 3, padding=1, bias=bias)]
            norm = nn.BatchNorm2d
        if self.norm:
            layers.append(norm(self.width))
        return nn.Sequential(*layers, nn.Tanh())

    def make_head(self, task: Task) -> nn.Module:
        if self.kind == "dense":
            return VectorHead(self.width, task.num_outputs)
        return (PooledHead if self.pooled else PixelHead)(self.width, task.num_outputs)


class VectorHead(nn.Module):
    """A linear layer on the last tap's features [B, width]."""

    def __init__(self, width: int, num_outputs: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, num_outputs)

    def forward(self, features: tuple[Tensor, ...], size: tuple[int, ...]) -> Tensor:
        out: Tensor = self.out(features[-1])
        return out


class PooledHead(VectorHead):
    """A linear layer on the mean over the positions of the last tap's features [B, width, H, W]."""

    def forward(self, features: tuple[Tensor, ...], size: tuple[int, ...]) -> Tensor:
        return super().forward((features[-1].mean(dim=(2, 3)),), size)


class PixelHead(nn.Module):
    """A linear layer at each position of the last tap's features [B, width, H, W]."""

    def __init__(self, width: int, num_outputs: int) -> None:
        super().__init__()
        self.out = nn.Conv2d(width, num_outputs, 1)

    def forward(self, features: tuple[Tensor, ...], size: tuple[int, ...]) -> Tensor:
        out: Tensor = self.out(features[-1])
        return out
